/** Names for the tests of every room. The program does not import it. */
import { parseRepositoryName, type RepositoryName } from "./repository-name.ts";
import { parseTag, type Tag } from "./tag.ts";

export function nameOf(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`not a repository name: ${text}`);
  return name;
}

export function tagOf(text: string): Tag {
  const tag = parseTag(text);
  if (tag === undefined) throw new Error(`not a tag: ${text}`);
  return tag;
}

/**
 * The name of a repository, validated (distribution-spec, "Pulling manifests").
 *
 * Every component is lower case and starts with a letter or digit, so a name can neither
 * climb out of a folder nor meet the layout's own `_layers`, `_manifests` and `_uploads`.
 */
export type RepositoryName = string & { readonly __brand: "RepositoryName" };

/** The specification advises 255 for host and name together; the name alone may use it all. */
const repositoryNameLengthMax = 255;

const pattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** The name that `text` spells, or undefined when it is not exactly one. */
export function parseRepositoryName(text: string): RepositoryName | undefined {
  return isRepositoryName(text) ? text : undefined;
}

function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= repositoryNameLengthMax && pattern.test(text);
}

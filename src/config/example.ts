import { unreachable } from "../base/assert.ts";
import type { Key } from "./key.ts";
import { proseOf } from "./key-prose.ts";
import { groupsOf } from "./reference.ts";
import { keys, type SectionShape, type Shape, sections, shape } from "./schema.ts";

export interface ExampleOptions {
  /** Whether the key at this path, or the section or list that must be chosen, is switched on. */
  readonly isActive: (path: string) => boolean;
}

const requiredPaths = new Set([
  "version",
  "storage.filesystem",
  "storage.filesystem.rootdirectory",
]);

/** The committed example: what is switched on is what every registry needs. */
const committed: ExampleOptions = {
  isActive: (path) => requiredPaths.has(path),
};

const lineMax = 96;

const head = `# Every key of Berth's configuration with its default, rendered from src/config/keys by
# \`npm run docs\`. To set a key, remove the # before it and before the sections above it.
# docs/reference/config.md has the names of the environment variables.
`;

/** `config/config.example.yml`: every key that is used, most of them as comments. */
export function renderExample(options: ExampleOptions = committed): string {
  const lines: string[] = [head];
  const used = keys.filter((key) => key.standing === undefined && key.isMember === undefined);
  for (const [name] of groupsOf(used)) {
    const target = shape.fields.get(name);
    if (target === undefined) continue;
    const paths = new Set(used.map((key) => key.path));
    lines.push(...new ExampleWriter(paths, options).child(name, target, ""), "");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

/** These are chosen, one among several, so the file cannot just name them all. */
const choices = new Set([
  "storage.filesystem",
  "storage.inmemory",
  "auth.none",
  "auth.htpasswd",
  "auth.token",
]);

class ExampleWriter {
  private readonly paths: ReadonlySet<string>;
  private readonly options: ExampleOptions;

  constructor(paths: ReadonlySet<string>, options: ExampleOptions) {
    this.paths = paths;
    this.options = options;
  }

  /** The lines of one entry of a map, at `indent`. */
  child(name: string, target: Shape, indent: string): string[] {
    switch (target.kind) {
      case "leaf":
        return this.paths.has(target.path) ? this.leaf(name, target.key, indent) : [];
      case "dictionary": {
        const { key } = target.item;
        const prose = sections.find((section) => section.path === target.path)?.prose;
        return [
          ...(prose === undefined ? [] : comment(prose, indent)),
          `${indent}${name}:`,
          ...this.leaf(key.exampleName ?? "name", key, `${indent}  `),
        ];
      }
      case "list":
        return this.list(name, target.item, indent);
      case "section":
        return this.section(name, target, indent);
      default:
        return unreachable(target);
    }
  }

  private section(name: string, target: SectionShape, indent: string): string[] {
    if (target.section?.standing !== undefined) return [];
    const inner = leavesFirst(target).flatMap(([name, child]) =>
      this.child(name, child, `${indent}  `),
    );
    const isChoice = choices.has(target.path);
    if (inner.length === 0 && !isChoice) return [];
    const mark = isChoice && !this.options.isActive(target.path) ? "#" : "";
    const prose = target.section?.prose;
    return [
      ...(prose === undefined ? [] : comment(prose, indent)),
      `${indent}${mark}${name}:`,
      ...inner,
    ];
  }

  /** A list with one item; its keys are switched on and off together with it. */
  private list(name: string, item: SectionShape, indent: string): string[] {
    const leaves = this.linesOfItem(item);
    if (leaves.length === 0) return [];
    const mark = this.options.isActive(item.path) ? "" : "#";
    return [
      ...(item.section === undefined ? [] : comment(item.section.prose, indent)),
      `${indent}${mark}${name}:`,
      ...leaves.flatMap(({ prose, text }, index) => [
        ...comment(prose, `${indent}    ${/^ */.exec(text)?.[0] ?? ""}`),
        `${indent}  ${mark}${index === 0 ? "- " : "  "}${text}`,
      ]),
    ];
  }

  /** The keys of a list's item with their sentences; those of a section in it further in. */
  private linesOfItem(item: SectionShape): { readonly prose: string; readonly text: string }[] {
    return leavesFirst(item).flatMap(([child, shape]) => {
      if (shape.kind === "leaf" && this.paths.has(shape.path)) {
        return [{ prose: proseOf(shape.key), text: `${child}: ${valueOf(shape.key)}` }];
      }
      if (shape.kind === "section") {
        const inner = this.linesOfItem(shape).map(({ prose, text }) => ({
          prose,
          text: `  ${text}`,
        }));
        if (inner.length === 0) return [];
        return [{ prose: shape.section?.prose ?? "", text: `${child}:` }, ...inner];
      }
      if (shape.kind !== "dictionary") return [];
      const { key } = shape.item;
      return [{ prose: proseOf(key), text: `${child}: {${key.exampleName}: ${valueOf(key)}}` }];
    });
  }

  private leaf(name: string, key: Key, indent: string): string[] {
    const mark = this.options.isActive(key.path) ? "" : "#";
    const some = key.type === "choices" ? "Some" : "One";
    const values = key.values === undefined ? "" : ` ${some} of ${key.values.join(", ")}.`;
    return [
      ...comment(`${proseOf(key)}${values}`, indent),
      `${indent}${mark}${name}: ${valueOf(key)}`,
    ];
  }
}

/** What belongs to a section itself first, so that it is not lost behind what is below. */
function leavesFirst({ fields }: SectionShape): (readonly [string, Shape])[] {
  const isLeaf = ([, child]: readonly [string, Shape]): boolean => child.kind === "leaf";
  const all = [...fields];
  return [...all.filter(isLeaf), ...all.filter((field) => !isLeaf(field))];
}

function valueOf(key: Key): string {
  return key.default ?? key.example ?? '""';
}

/** `text` as comment lines of a readable length. */
function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > lineMax) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

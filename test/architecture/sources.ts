/** TypeScript sources as the laws of the house look at them: code without prose, and imports. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface Source {
  /** From the root of the project, with slashes: `src/oci/digest.ts`. */
  readonly path: string;
  readonly text: string;
  /** `text` with the content of comments, strings and regular expressions blanked out. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  /** As it is written: `../oci/digest.ts`, `node:fs`, `jose`. */
  readonly specifier: string;
  /** The path of the file that it names; undefined when it is not a file of the project. */
  readonly target: string | undefined;
  /** 1-based. */
  readonly line: number;
  /** True when it only passes names on: `export … from`. */
  readonly isExport: boolean;
}

/** All sources below `folder` of the project at `root`. */
export function readSources(root: string, folder: string): readonly Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .toSorted()
    .map((name) => {
      const path = `${folder}/${name}`;
      return sourceOf(path, readFileSync(join(root, path), "utf8"));
    });
}

export function sourceOf(path: string, text: string): Source {
  const code = codeOf(text);
  return { path, text, code, imports: importsOf(path, text, code) };
}

/** True for what only tests use. The laws of the product do not hold there. */
export function isTestOnly({ path }: Pick<Source, "path">): boolean {
  return /(?:\.test|\.suite|-support|-samples|-fixture)\.ts$/.test(path);
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

const importPattern = /\b(?:(import|export)\b[^;"'()]*?\bfrom\s*|import\s*\(?\s*)(["'])/g;

function importsOf(path: string, text: string, code: string): readonly Import[] {
  return [...code.matchAll(importPattern)].map((match) => {
    const start = match.index + match[0].length;
    const specifier = text.slice(start, code.indexOf(match[2] ?? '"', start));
    const isRelative = specifier.startsWith(".");
    return {
      specifier,
      target: isRelative ? normalize(join(dirname(path), specifier)) : undefined,
      line: lineOf(text, start),
      isExport: match[1] === "export",
    };
  });
}

/** After one of these, a slash begins a regular expression and does not divide. */
const beforeRegExp = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|yield))\s*$/;

/**
 * `text` in which every character of a comment, of a string's content and of a regular
 * expression is a space. Line breaks and offsets stay; so do the quotes, and what a template
 * puts in.
 */
export function codeOf(text: string): string {
  const code = text.split("");
  /** Depths of braces at which a template goes on. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  const blank = (end: number): void => {
    for (; at < end; at += 1) if (code[at] !== "\n") code[at] = " ";
  };
  const blankTemplate = (): void => {
    const end = endOfTemplate(text, at);
    blank(end);
    if (text[at] === "`") at += 1;
    else {
      templates.push(depth);
      depth += 1;
      at += 2;
    }
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? "";
    if (two === "//") blank(indexOrEnd(text, "\n", at));
    else if (two === "/*") blank(Math.min(indexOrEnd(text, "*/", at + 2) + 2, text.length));
    else if (one === '"' || one === "'") {
      at += 1;
      blank(endOfString(text, at, one));
      at += 1;
    } else if (one === "`") {
      at += 1;
      blankTemplate();
    } else if (one === "/" && beforeRegExp.test(code.slice(Math.max(0, at - 40), at).join(""))) {
      blank(endOfRegExp(text, at));
    } else {
      if (one === "{") depth += 1;
      if (one === "}") depth -= 1;
      at += 1;
      if (one === "}" && templates.at(-1) === depth) {
        templates.pop();
        blankTemplate();
      }
    }
  }
  return code.join("");
}

function indexOrEnd(text: string, part: string, from: number): number {
  const index = text.indexOf(part, from);
  return index === -1 ? text.length : index;
}

function endOfString(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === quote || text[at] === "\n") return at;
  }
  return text.length;
}

/** Where a template ends, or puts something in. */
function endOfTemplate(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "`" || text.startsWith("${", at)) return at;
  }
  return text.length;
}

function endOfRegExp(text: string, from: number): number {
  let isInClass = false;
  for (let at = from + 1; at < text.length; at += 1) {
    const one = text[at];
    if (one === "\\") at += 1;
    else if (one === "[") isInClass = true;
    else if (one === "]") isInClass = false;
    else if (one === "\n" || (one === "/" && !isInClass)) return at + 1;
  }
  return text.length;
}

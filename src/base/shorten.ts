/** The beginning of `text` with an ellipsis where it is longer, and no half of a character. */
export function shorten(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  // A half of a surrogate pair is `\ud83d` in JSON, and strict readers refuse all of it then.
  return `${text.slice(0, lengthMax).replace(/[\ud800-\udbff]$/, "")}…`;
}

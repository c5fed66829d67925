/** What moves a terminal's cursor or begins a line: C0, DEL, C1 and Unicode's two line ends. */
// oxlint-disable-next-line no-control-regex -- control characters are what must not get out
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** `text` as one line, with U+FFFD for each control character. */
export function replaceControls(text: string): string {
  return text.replace(controlCharacters, "\uFFFD");
}

/** `text` as one line, with `\u001b` for each control character: in JSON it keeps its meaning. */
export function escapeControls(text: string): string {
  return text.replace(
    controlCharacters,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

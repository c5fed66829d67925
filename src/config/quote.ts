import { shorten } from "../base/shorten.ts";

const lengthMax = 80;

/** `text` in quotes for a sentence: shortened, on one line, without what a URL keeps secret. */
export function quote(text: string): string {
  const safe = hideUrlSecrets(text);
  return JSON.stringify(shorten(safe, lengthMax));
}

/** `text` without the user, password and query of each URL in it. */
export function hideUrlSecrets(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s,]*@/gi, "$1(hidden)@")
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s,?]*)\?[^\s,]*/gi, "$1?(hidden)");
}

/** A user name and a password as RFC 7617 carries them. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** A longer header is no login; the longest password that bcrypt takes has 72 bytes. */
const headerLengthMax = 4096;

const form = /^basic +((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/i;

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const controlCharacter = /[\u0000-\u001f\u007f]/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The credentials in an Authorization header, or undefined when it is not exactly a Basic one:
 * padded base64 of UTF-8 with a user name, a colon and a password, which may have more colons.
 */
export function parseBasic(authorization: string): BasicCredentials | undefined {
  if (authorization.length > headerLengthMax) return undefined;
  const encoded = form.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = decode(encoded);
  if (text === undefined || hasControlCharacter(text)) return undefined;
  const colon = text.indexOf(":");
  if (colon < 1) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** RFC 7617, 2: neither a user name nor a password may hold one. */
export function hasControlCharacter(text: string): boolean {
  return controlCharacter.test(text);
}

function decode(base64: string): string | undefined {
  try {
    return utf8.decode(Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" }));
  } catch {
    return undefined;
  }
}

/** The door to bcrypt, which Bun has built in. */

/** What bcrypt reads of a password; Bun's own treats longer ones in a way that no other does. */
export const passwordBytesMax = 72;

/** Seven characters of prefix and cost, 22 of salt, 31 of hash. */
const form = /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/;

const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A bcrypt hash in the form that Bun verifies. */
export interface BcryptHash {
  readonly text: string;
  /** The number of rounds is two to this power. */
  readonly cost: number;
}

/**
 * The bcrypt hash that `text` spells, or undefined when it is none: `$2y$` of htpasswd, `$2b$`
 * and `$2a$`, which name the same function for passwords of 72 bytes and less.
 */
export function parseBcryptHash(text: string): BcryptHash | undefined {
  const parts = form.exec(text);
  if (parts === null) return undefined;
  const [, cost = "", salt = "", hash = ""] = parts;
  // 22 characters hold 132 bits for a salt of 128, and 31 hold 186 for a hash of 184. Some
  // programs leave the rest set; Bun refuses those, Go and crypt(3) do not.
  const normal = `$2b$${cost}$${withoutLowBits(salt, 4)}${withoutLowBits(hash, 2)}`;
  return { text: normal, cost: Number(cost) };
}

function withoutLowBits(text: string, bits: number): string {
  const last = alphabet.indexOf(text.slice(-1));
  return text.slice(0, -1) + alphabet.charAt((last >> bits) << bits);
}

/** A hash that no password is known for and that costs as much to verify as a real one. */
export function dummyHash(cost: number): BcryptHash {
  return { text: `$2b$${String(cost).padStart(2, "0")}$${".".repeat(53)}`, cost };
}

/**
 * Whether bcrypt reads all of `password`. It stops at byte 72 and at a NUL, so that another
 * password with the same beginning would be taken for this one.
 */
export function isUsablePassword(password: string): boolean {
  if (password === "" || password.length > passwordBytesMax || password.includes("\0")) {
    return false;
  }
  return Buffer.byteLength(password) <= passwordBytesMax;
}

/** Whether `hash` was made of `password`. Runs in a thread; takes 60 ms at cost 10. */
export function verifyBcrypt(password: string, hash: BcryptHash): Promise<boolean> {
  return Bun.password.verify(password, hash.text, "bcrypt");
}

/** A new hash with the prefix that htpasswd writes. */
export async function hashBcrypt(password: string, cost: number): Promise<string> {
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost });
  return `$2y$${hash.slice(4)}`;
}

import { createHmac } from "node:crypto";
import { type BcryptHash, parseBcryptHash } from "./bcrypt.ts";

/** What a htpasswd file says, and what in it cannot be used. */
export interface HtpasswdFile {
  readonly users: ReadonlyMap<string, BcryptHash>;
  /** What the users' hashes cost, one for each user, in rising order. */
  readonly costs: readonly number[];
  readonly complaints: readonly HtpasswdComplaint[];
}

export interface HtpasswdComplaint {
  /** From 1. The line itself is never told: it holds somebody's hash, or password. */
  readonly line: number;
  readonly why: string;
}

/** The cost of htpasswd files that Berth writes: 60 ms on a server of 2024. */
export const defaultCost = 10;

/**
 * Apache's htpasswd makes no other; 17 already takes eight seconds for each login. At 31 it is days,
 * and a few requests would keep every thread that verifies from everybody else.
 */
export const costMin = 4;
export const costMax = 17;

/**
 * Reads the form of Apache's htpasswd: a user, a colon and a hash on each line; empty lines and
 * those that begin with # are skipped. Bcrypt is the one hash that is accepted, as in
 * Distribution, and the last line of a user counts. Anything else is a complaint, not a failure:
 * one bad line does not lock everybody out.
 */
export function parseHtpasswd(text: string): HtpasswdFile {
  const users = new Map<string, BcryptHash>();
  const complaints: HtpasswdComplaint[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const entry = entryOf(raw);
    if (entry === undefined) continue;
    const line = index + 1;
    const hash = parseBcryptHash(entry.hash);
    if (entry.user === "" || hash === undefined || hash.cost > costMax) {
      complaints.push({ line, why: whyUnusable(entry, hash) });
      // Whoever wrote it meant it: an earlier line lets nobody in any more.
      users.delete(entry.user);
    } else {
      if (users.has(entry.user)) {
        complaints.push({ line, why: "names a user that an earlier line has; this one counts" });
      }
      users.set(entry.user, hash);
    }
  }
  const costs = [...users.values()].map(({ cost }) => cost).sort((a, b) => a - b);
  return { users, costs, complaints };
}

function whyUnusable({ user, hash }: Entry, bcrypt: BcryptHash | undefined): string {
  if (user === "" || hash === "") return "is not a user name, a colon and a hash";
  return bcrypt === undefined
    ? `has ${kindOf(hash)}; only bcrypt is accepted`
    : `has a bcrypt hash of cost ${bcrypt.cost}, and ${costMax} is the most that is accepted`;
}

/** The user of one line of a htpasswd file, or undefined when it is empty or a comment. */
export function userOfLine(line: string): string | undefined {
  return entryOf(line)?.user;
}

interface Entry {
  readonly user: string;
  readonly hash: string;
}

function entryOf(raw: string): Entry | undefined {
  const line = raw.trim();
  if (line === "" || line.startsWith("#")) return undefined;
  const colon = line.indexOf(":");
  if (colon < 0) return { user: "", hash: "" };
  return { user: line.slice(0, colon), hash: line.slice(colon + 1) };
}

const kinds: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/, "an MD5 hash of Apache"],
  [/^\$1\$/, "an MD5 hash"],
  [/^\{SHA\}/, "a SHA-1 hash"],
  [/^\$5\$/, "a SHA-256 hash of crypt"],
  [/^\$6\$/, "a SHA-512 hash of crypt"],
  [/^\$2[a-z]?\$/, "a bcrypt hash that is damaged or of an unknown kind"],
  [/^\$argon2/, "an argon2 hash"],
  [/^[./A-Za-z0-9]{13}$/, "a DES hash of crypt"],
];

function kindOf(hash: string): string {
  const known = kinds.find(([form]) => form.test(hash));
  return known === undefined ? "a password in plain text or an unknown hash" : known[1];
}

/**
 * The cost at which a user is verified whom the file does not name: one of those that users have,
 * each as often as they have it, and for a name always the same. So the time of an answer does not
 * tell who exists, where lines of Apache's htpasswd (cost 5) and Berth's (10) stand side by side.
 */
export function costOfUnknown(user: string, { users, costs }: HtpasswdFile): number {
  const [first] = users.values();
  if (first === undefined) return defaultCost;
  // A hash of the file as the key: a secret that a restart does not change.
  const share = createHmac("sha256", first.text).update(user).digest().readUInt32BE() / 2 ** 32;
  return costs[Math.floor(share * costs.length)] ?? defaultCost;
}

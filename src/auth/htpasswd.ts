import { createHmac } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Access } from "../oci/scope.ts";
import type { Authenticator, Credentials, Decision } from "./authenticator.ts";
import { type BasicCredentials, parseBasic } from "./basic.ts";
import {
  type BcryptHash,
  dummyHash,
  hashBcrypt,
  isUsablePassword,
  verifyBcrypt,
} from "./bcrypt.ts";
import { basicChallenge } from "./challenge.ts";
import { costOfUnknown, defaultCost, type HtpasswdFile, parseHtpasswd } from "./htpasswd-file.ts";
import { Remembered } from "./remembered.ts";
import { VerificationQueue } from "./verification-queue.ts";
import { createPrivateFile, fileExists, WatchedFile } from "./watched-file.ts";

export interface HtpasswdOptions {
  readonly realm: string;
  readonly path: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How long a verified login costs no bcrypt; 0 to pay for each request. */
  readonly cacheTtlMs?: number;
  /** How many verifications run at once. */
  readonly maxVerifications?: number;
  /** How many more may wait; the next one is answered 429. */
  readonly maxWaiting?: number;
}

const defaultCacheTtlMs = 60_000;
const defaultMaxVerifications = 4;
const defaultMaxWaiting = 64;
/** Logins remembered at once; the oldest goes first. */
const cacheSizeMax = 10_000;
const keyBytes = 32;

/** Lines of a file that the log names one by one; `berth htpasswd verify` names them all. */
const complaintsMax = 10;

/** The user of a file that Berth had to create, by the name that Distribution gives it. */
const firstUser = "docker";
const firstPasswordBytes = 24;

/**
 * Logins from a htpasswd file. Whoever logs in may do everything, as in Distribution.
 *
 * When there is no file it is created, with one user whose password is in the log, once.
 *
 * @throws {Error} when the file can be neither read nor created.
 */
export async function openHtpasswdAuthenticator(options: HtpasswdOptions): Promise<Authenticator> {
  if (!fileExists(options.path)) await createFirstUser(options);
  return new HtpasswdAuthenticator(options);
}

async function createFirstUser({ path, random, logger }: HtpasswdOptions): Promise<void> {
  const password = Buffer.from(random.bytes(firstPasswordBytes)).toString("base64url");
  const line = `${firstUser}:${await hashBcrypt(password, defaultCost)}\n`;
  // Another process may have been faster; then its password is the one that counts.
  if (!createPrivateFile(path, line)) return;
  logger.warn("there was no htpasswd file; one was created with a user and a random password", {
    path,
    user: firstUser,
    password,
  });
}

class HtpasswdAuthenticator implements Authenticator {
  readonly #file: WatchedFile<HtpasswdFile>;
  readonly #clock: Clock;
  readonly #cacheTtlMs: number;
  readonly #queue: VerificationQueue;
  readonly #challenge: Decision;
  /**
   * Verified logins under a keyed hash of user, password and hash line, so that the memory
   * holds no password, and a changed line makes the entry unreachable.
   */
  readonly #verified = new Remembered<Decision>(cacheSizeMax);
  readonly #key: Uint8Array;
  /** Verifications under way, by the same keyed hash: the same login at once is paid once. */
  readonly #pending = new Map<string, Promise<Decision>>();

  constructor(options: HtpasswdOptions) {
    const { path, clock, logger } = options;
    this.#clock = clock;
    this.#cacheTtlMs = options.cacheTtlMs ?? defaultCacheTtlMs;
    this.#key = options.random.bytes(keyBytes);
    this.#queue = new VerificationQueue({
      runningMax: options.maxVerifications ?? defaultMaxVerifications,
      waitingMax: options.maxWaiting ?? defaultMaxWaiting,
    });
    this.#challenge = {
      kind: "challenge",
      challenge: basicChallenge(options.realm),
      reason: "unauthorized",
    };
    this.#file = new WatchedFile({
      path,
      clock,
      logger,
      parse: (text) => parseAndReport(text, { path, logger }),
    });
  }

  decide(credentials: Credentials, _accesses: readonly Access[]): Decision | Promise<Decision> {
    const { authorization } = credentials;
    if (authorization === undefined) return this.#challenge;
    const login = parseBasic(authorization);
    if (login === undefined || !isUsablePassword(login.password)) return this.#challenge;

    const file = this.#file.current();
    const known = file.users.get(login.user);
    // An unknown user takes the same way as a known one, to a hash that nothing matches, so
    // that neither the answer nor its time tells who exists.
    const hash = known ?? dummyHash(costOfUnknown(login.user, file));
    const key = this.#keyOf(login, hash);
    const remembered = this.#verified.get(key, this.#clock.monotonicMs());
    if (remembered !== undefined) return remembered;
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const network = networkOf(credentials.address);
    return this.#verify(key, { login, hash, isKnown: known !== undefined, network });
  }

  #verify(key: string, candidate: Candidate): Promise<Decision> {
    const pending = this.#queue
      .run(candidate.network, () => verifyBcrypt(candidate.login.password, candidate.hash))
      .then((isRight) => {
        if (!isRight || !candidate.isKnown) return this.#challenge;
        const identity = { kind: "user", name: candidate.login.user } as const;
        const granted: Decision = { kind: "granted", identity };
        this.#verified.put(key, granted, this.#clock.monotonicMs() + this.#cacheTtlMs);
        return granted;
      })
      .finally(() => this.#pending.delete(key));
    this.#pending.set(key, pending);
    return pending;
  }

  /** Neither user nor password has a control character, so NUL keeps the three apart. */
  #keyOf({ user, password }: BasicCredentials, hash: BcryptHash): string {
    return createHmac("sha256", this.#key)
      .update(`${user}\0${password}\0${hash.text}`)
      .digest("base64");
  }
}

interface Candidate {
  readonly login: BasicCredentials;
  readonly hash: BcryptHash;
  readonly isKnown: boolean;
  readonly network: string;
}

/** An IPv4 address, or the 64 bits in which whoever has one IPv6 address has all the others. */
function networkOf(address: string): string {
  return (address.split("::")[0] ?? "").split(":").slice(0, 4).join(":");
}

function parseAndReport(
  text: string,
  { path, logger }: { readonly path: string; readonly logger: Logger },
): HtpasswdFile {
  const file = parseHtpasswd(text);
  for (const { line, why } of file.complaints.slice(0, complaintsMax)) {
    logger.warn(`a line of the htpasswd file ${why}`, { path, line });
  }
  const count = file.complaints.length - complaintsMax;
  if (count > 0) {
    logger.warn("more lines of the htpasswd file are not used, or are used in place of others", {
      path,
      count,
    });
  }
  if (file.users.size === 0) {
    logger.warn("the htpasswd file has no user that could log in", { path });
  }
  return file;
}

import { statSync } from "node:fs";
import type { Logger } from "../base/logger.ts";
import type { TlsConfig } from "../config/config.ts";
import { readTlsMaterial, type TlsMaterial, tlsPaths } from "./tls-options.ts";

/**
 * Looks whether the files of `http.tls` have changed, and hands new material on.
 *
 * A pair that cannot be used, such as one that is half written, leaves the old one in force: the
 * log says so once, and it is tried again at every look, because what was missing may have been a
 * file descriptor.
 */
export class CertificateWatch {
  readonly #tls: TlsConfig;
  readonly #logger: Logger;
  /** Of the files that are in use. */
  #stamp: string;
  /** Of the files that were said to be no good. */
  #refusedStamp = "";

  constructor(tls: TlsConfig, logger: Logger) {
    this.#tls = tls;
    this.#logger = logger;
    this.#stamp = stampOf(tls);
  }

  /** Calls `use` when there is something new. When `use` throws, that counts as unusable too. */
  check(use: (material: TlsMaterial) => void): void {
    const stamp = stampOf(this.#tls);
    if (stamp === this.#stamp) return;
    const path = this.#tls.certificatePath;
    try {
      const material = readTlsMaterial(this.#tls);
      use(material);
      // Taken before the files were read: what has changed meanwhile is seen by the next look.
      this.#stamp = stamp;
      this.#logger.info("the certificate has changed and is in use", {
        path,
        subject: material.subject,
        validUntil: new Date(material.validUntilMs).toISOString(),
      });
    } catch (error) {
      if (stamp === this.#refusedStamp) return;
      this.#refusedStamp = stamp;
      this.#logger.error("the new certificate cannot be used; the one before stays in use", {
        path,
        error,
      });
    }
  }
}

/** Changes with every write and every exchange of one of the files. */
function stampOf(tls: TlsConfig): string {
  return tlsPaths(tls).map(stampOfFile).join("|");
}

function stampOfFile(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    // Missing for now, or not to be looked at: what that means shows when it is read.
    return "none";
  }
}

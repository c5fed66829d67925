import type { Authenticator } from "../auth/authenticator.ts";
import { openHtpasswdAuthenticator } from "../auth/htpasswd.ts";
import { openAuthenticator } from "../auth/open.ts";
import { openTokenAuthenticator } from "../auth/token.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { AuthConfig } from "../config/config.ts";

/**
 * The one way of deciding that the configuration asks for.
 *
 * @throws {Error} with the key and a sentence when a file that it needs cannot be used.
 */
export async function authenticatorFor(
  auth: AuthConfig,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): Promise<Authenticator> {
  try {
    switch (auth.kind) {
      case "none":
        return openAuthenticator;
      case "htpasswd":
        return await openHtpasswdAuthenticator({ ...auth, ...parts });
      case "token":
        return openTokenAuthenticator({ ...auth, ...parts });
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Error(`auth.${auth.kind}: ${error.message}`, { cause: error });
  }
}

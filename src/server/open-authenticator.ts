import type { Authenticator } from "../auth/authenticator.ts";
import { openHtpasswdAuthenticator } from "../auth/htpasswd.ts";
import { openAuthenticator } from "../auth/open.ts";
import { openTokenAuthenticator } from "../auth/token.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { AuthConfig } from "../config/config.ts";

/** The one way of deciding that the configuration asks for. */
export async function authenticatorFor(
  auth: AuthConfig,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): Promise<Authenticator> {
  switch (auth.kind) {
    case "none":
      return openAuthenticator;
    case "htpasswd":
      return openHtpasswdAuthenticator({ ...auth, ...parts });
    case "token":
      return openTokenAuthenticator({ ...auth, ...parts });
  }
}

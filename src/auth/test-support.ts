/** What the tests of this room share. The program does not import it. */
import type { Credentials, Decision } from "./authenticator.ts";

export function withAuthorization(authorization: string | undefined): Credentials {
  return { authorization, origin: "https://registry.example", address: "192.0.2.1" };
}

export function basic(user: string, password: string, address = "192.0.2.1"): Credentials {
  const encoded = Buffer.from(`${user}:${password}`).toString("base64");
  return { ...withAuthorization(`Basic ${encoded}`), address };
}

/** The decision, which must have come without a promise: nothing expensive was done for it. */
export function atOnce(decision: Decision | Promise<Decision>): Decision {
  if (decision instanceof Promise) throw new Error("the decision came as a promise");
  return decision;
}

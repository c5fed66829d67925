import type { KeyObject } from "node:crypto";
/** The door to jose, which checks signatures and the registered claims of a JWT. */
import { errors, type JWTPayload, jwtVerify } from "jose";
import { shorten } from "../base/shorten.ts";

/** The fields of a token's header that say which key signed it. Nothing vouches for them yet. */
export interface JwtHeader {
  readonly alg: string;
  readonly kid: string | undefined;
  /** Certificates in base64, the signer's first. */
  readonly x5c: readonly string[] | undefined;
}

export interface JwtRules {
  /** The trusted key for this header. Throws an Error that says why there is none. */
  readonly keyFor: (header: JwtHeader) => KeyObject;
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly leewaySeconds: number;
  readonly nowMs: number;
}

export interface JwtClaims {
  readonly subject: string;
  readonly expiresSeconds: number;
  /** Everything that the payload says, not yet looked at. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What is not in this form is not given to a parser: no padding, no white space, three parts. */
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * The claims of `token`, whose signature, issuer, audience and times are right.
 *
 * Of a name that occurs twice the last one counts, as RFC 7519, 4 allows: header and payload
 * are parsed by one parser, so there is no second reader that could see the other.
 *
 * @throws {Error} that says what is wrong with the token.
 */
export async function verifyJwt(token: string, rules: JwtRules): Promise<JwtClaims> {
  if (!compactForm.test(token)) throw new Error("the token is not three parts of base64url");
  const payload = await verifiedPayload(token, rules);
  const { sub, exp } = payload;
  if (exp === undefined || (sub !== undefined && typeof sub !== "string")) {
    throw new Error("the token's claims have wrong types");
  }
  return { subject: sub ?? "", expiresSeconds: exp, payload };
}

async function verifiedPayload(token: string, rules: JwtRules): Promise<JWTPayload> {
  const verified = await jwtVerify(
    token,
    (header) => {
      // RFC 7515, 4.1.11: an extension that is not understood is a reason to refuse. None is.
      if ("crit" in header) throw new Error("the token has critical extensions");
      const { alg, kid, x5c } = header;
      // The embedded jwk, and the addresses jku and x5u, are never looked at: whoever signs a
      // token chooses them (CVE-2025-24976).
      return rules.keyFor({ alg, kid, x5c });
    },
    {
      issuer: rules.issuer,
      audience: rules.audience,
      algorithms: [...rules.algorithms],
      clockTolerance: rules.leewaySeconds,
      currentDate: new Date(rules.nowMs),
      requiredClaims: ["iss", "aud", "exp"],
    },
  ).catch((error: unknown) => {
    throw refusal(error, rules);
  });
  return verified.payload;
}

/**
 * What came and what was expected, where jose says only which claim it is. The signature was right
 * by then, so the claims are the token service's own words.
 */
function refusal(error: unknown, { issuer, audience, nowMs }: JwtRules): unknown {
  const isOfClaim =
    error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired;
  if (!isOfClaim) return error;
  const { claim, payload } = error;
  const expected = { iss: issuer, aud: audience }[claim];
  if (expected !== undefined) {
    const says = `the configuration says ${quoted(expected)}`;
    const came = payload[claim];
    const why = came === undefined ? `it has no ${claim}` : `its ${claim} is ${quoted(came)}`;
    return new Error(`${why}, and ${says}`, { cause: error });
  }
  const { exp, nbf } = payload;
  const nowSeconds = Math.floor(nowMs / 1_000);
  if (claim === "exp" && typeof exp === "number") {
    return new Error(`it expired ${nowSeconds - exp} seconds ago`, { cause: error });
  }
  if (claim === "nbf" && typeof nbf === "number") {
    return new Error(`it begins to count in ${nbf - nowSeconds} seconds`, { cause: error });
  }
  return error;
}

const quotedMax = 200;

/** For a line of the log, which no service shall make long. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value);
  return shorten(text, quotedMax);
}

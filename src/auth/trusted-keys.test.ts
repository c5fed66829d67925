import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { certificatePem, issueCertificate } from "../base/certificate.ts";
import { systemRandom } from "../base/random.ts";
import { parseJwks, parsePemBundle } from "./trusted-keys.ts";

const ec = { kty: "EC", crv: "P-256" } as const;
/** The key and its name in Distribution's specification of token authentication. */
const libtrustKey = {
  ...ec,
  x: "m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q",
  y: "dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc",
};
/** RFC 7638, 3.1. */
const rsaKey = {
  kty: "RSA",
  n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
  e: "AQAB",
  alg: "RS256",
  kid: "2011-04-29",
};
/** RFC 8037, A.1 and A.3. */
const edKey = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

function jwks(...keys: readonly object[]): string {
  return JSON.stringify({ keys });
}

test.each([
  ["PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6", libtrustKey, ["ES256"]],
  ["NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", rsaKey, ["RS256"]],
  ["2011-04-29", rsaKey, ["RS256"]],
  ["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", edKey, ["EdDSA"]],
])("the name %s of a specification finds its key", (id, key, algorithms) => {
  expect(parseJwks(jwks(key)).byId.get(id)?.algorithms).toEqual(algorithms);
});

test("a certificate and its bare public key have the same names", () => {
  const { certificate, privateKey } = issueCertificate({
    commonName: "token service",
    role: { kind: "authority" },
    issuer: undefined,
    notBeforeMs: 0,
    notAfterMs: 1_000,
    random: systemRandom,
  });
  const pair = generateKeyPairSync("ed25519");
  const pem = certificatePem(certificate);
  const spki = pair.publicKey.export({ type: "spki", format: "pem" });
  const secret = privateKey.export({ type: "pkcs8", format: "pem" });

  const bundle = parsePemBundle(`Bag Attributes: none\r\n${pem}${spki}${secret}`);
  expect(bundle.roots).toHaveLength(1);
  expect([...bundle.byId.values()].map(({ algorithms }) => algorithms[0])).toEqual([
    "ES256",
    "ES256",
    "EdDSA",
    "EdDSA",
  ]);
  // A private key has no business here, and its public half is not trusted for it.
  expect(bundle.complaints).toHaveLength(1);
  const alone = parsePemBundle(pair.publicKey.export({ type: "spki", format: "pem" }));
  for (const id of alone.byId.keys()) expect(bundle.byId.has(id)).toBe(true);
});

test.each([
  ["a secret that is too short", { kty: "oct", k: "c2hvcnQ", kid: "a" }],
  ["a key to encrypt", { ...edKey, use: "enc" }],
  ["a curve that JOSE does not use", { ...ec, crv: "P-224", x: "AA", y: "AA" }],
  ["a point that is not on its curve", { ...libtrustKey, y: libtrustKey.x }],
  ["an algorithm of another key type", { ...edKey, alg: "RS256" }],
  ["a short RSA key", { ...shortRsa(), kid: "short" }],
  ["a missing member", { kty: "RSA", e: "AQAB" }],
  ["a member that is no text", { ...edKey, x: 7 }],
  ["no object", []],
])("%s is a complaint and no key", (_why, key) => {
  const file = parseJwks(jwks(key, rsaKey));
  expect(file.complaints).toHaveLength(1);
  expect([...file.byId.keys()]).toContain("2011-04-29");
  expect(file.byId.size).toBe(3);
});

test("a secret is known by its kid only", () => {
  const k = Buffer.alloc(32, 1).toString("base64url");
  expect([...parseJwks(jwks({ kty: "oct", k, kid: "shared" })).byId.keys()]).toEqual(["shared"]);
});

test("the private half of a key in the set is not kept", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const file = parseJwks(jwks({ ...privateKey.export({ format: "jwk" }), kid: "mine" }));
  expect(file.byId.get("mine")?.key.type).toBe("public");
});

test.each(["", "[]", "{}", '{"keys":{}}', '{"keys":'])("%p is no key set", (text) => {
  expect(() => parseJwks(text)).toThrow();
});

test("a bundle with a damaged certificate is refused as a whole", () => {
  expect(() =>
    parsePemBundle("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
  ).toThrow();
});

function shortRsa(): object {
  return generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
}

test("a key that is too short, or not of its alg, is named so", () => {
  const { complaints } = parseJwks(
    JSON.stringify({ keys: [{ ...shortRsa(), kid: "a" }, { ...edKey, alg: "RS256" }, edKey] }),
  );
  expect(complaints).toEqual([
    "an RSA key has 1024 bits, and 2048 is the least",
    'a key of type ed25519 is not one for its alg, "RS256"',
  ]);
});

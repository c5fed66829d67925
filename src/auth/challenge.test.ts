import { expect, test } from "bun:test";
import { basicChallenge, bearerChallenge } from "./challenge.ts";

test("a bearer challenge has its parameters quoted and in the usual order", () => {
  const bearer = { realm: "https://auth.example/token", service: "registry.example" };
  expect(bearerChallenge({ ...bearer, scope: undefined, error: undefined })).toBe(
    'Bearer realm="https://auth.example/token",service="registry.example"',
  );
  expect(
    bearerChallenge({ ...bearer, scope: "repository:a/b:pull,push", error: "insufficient_scope" }),
  ).toBe(
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push",error="insufficient_scope"',
  );
});

test("a bearer challenge without the word in its configuration does not say basic", () => {
  const challenge = bearerChallenge({
    realm: "https://auth.example/token",
    service: "registry",
    scope: "registry:catalog:*",
    error: "invalid_token",
  });
  expect(challenge.toLowerCase()).not.toContain("basic");
});

test("what a Host header smuggles in stays inside its quotes, on one line", () => {
  const challenge = bearerChallenge({
    realm: 'https://evil",scope="x\\"\r\nSet-Cookie: a=b/auth/token',
    service: "registrÿ",
    scope: undefined,
    error: undefined,
  });
  expect(challenge).toMatch(
    /^Bearer realm="[\u0020-\u0021\u0023-\u005b\u005d-\u007e]*",service="registr\?"$/,
  );
});

test("a realm of several words is kept", () => {
  expect(basicChallenge("Registry of the harbour")).toBe('Basic realm="Registry of the harbour"');
});

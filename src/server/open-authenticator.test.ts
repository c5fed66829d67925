import { expect, test } from "bun:test";
import { signingAlgorithms as checked } from "../auth/token.ts";
import { signingAlgorithms as named } from "../config/keys/auth-keys.ts";

test("the algorithms that the configuration may name are those that tokens are checked with", () => {
  expect(new Set<string>(named)).toEqual(new Set(checked));
});

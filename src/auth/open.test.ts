import { expect, test } from "bun:test";
import { openAuthenticator } from "./open.ts";
import { atOnce, basic, withAuthorization } from "./test-support.ts";

test.each([withAuthorization(undefined), withAuthorization("junk"), basic("alice", "secret")])(
  "everyone may do everything, whatever the header says",
  (credentials) => {
    expect(atOnce(openAuthenticator.decide(credentials, [{ kind: "catalog" }]))).toEqual({
      kind: "granted",
      identity: { kind: "anonymous", name: "" },
    });
  },
);

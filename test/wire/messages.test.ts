/** What an error says: a person reads it in a terminal, and has to find what to change. */
import { describe, expect, test } from "bun:test";
import type { Authenticator } from "../../src/auth/authenticator.ts";
import type { Answered } from "../../src/http/wire.ts";
import { type WireRigOptions, withWireRig } from "../support/wire-rig.ts";

interface Asked extends Omit<WireRigOptions, "driver"> {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function messageOf(
  target: string,
  { method = "GET", headers = {}, ...options }: Asked = {},
): Promise<{ status: number; message: string }> {
  let found = { status: 0, message: "" };
  await withWireRig({ driver: "memory", ...options }, async (rig) => {
    const answer = await rig.send({ method, target, headers });
    const [error] = JSON.parse(answer.body.toString()).errors;
    found = { status: answer.status, message: error.message };
  });
  return found;
}

describe("an error message", () => {
  test("names the path, and not the body, where the path cannot be read", async () => {
    const { status, message } = await messageOf("/v2/%E0%A4%A/tags/list");
    expect(status).toBe(400);
    expect(message).toStartWith("the path /v2/%E0%A4%A/tags/list is not valid percent-encoding;");
  });

  test("shows that something is empty or has blanks around it", async () => {
    const empty = await messageOf("/v2/foo/blobs/uploads/?digest=", { method: "POST" });
    expect(empty.message).toStartWith('"" is not a digest');
    expect((await messageOf("/v2/foo/manifests/")).message).toStartWith('"" is not a tag');
    expect((await messageOf("/v2/_catalog?n=+1")).message).toStartWith('n is " 1"; it must be');
  });

  test("has no control character, and no half of one that is cut", async () => {
    await withWireRig({ driver: "memory" }, async (rig) => {
      for (const name of ["%C2%9B31m", "%E2%80%A8", `${"x".repeat(199)}%F0%9F%98%80`]) {
        const answer = await rig.send({ method: "GET", target: `/v2/${name}/tags/list` });
        const text = answer.body.toString();
        expect(text).not.toMatch(/[\u007f-\u009f\u2028\u2029]|\\ud83d/);
        // What was asked for comes back whole.
        expect(JSON.parse(text).errors[0].detail.name).toBe(decodeURIComponent(name));
      }
    });
  });

  test("tells wrong credentials from missing ones, and no more of them", async () => {
    const authenticator: Authenticator = {
      decide: () => ({ kind: "challenge", challenge: 'Basic realm="r"', reason: "unauthorized" }),
    };
    const missing = await messageOf("/v2/", { authenticator });
    expect(missing.message).toStartWith("authentication is required;");
    // What podman and skopeo send when nobody has logged in: no name and no password.
    for (const authorization of ["Basic Og==", "basic  Og=="]) {
      const nobody = await messageOf("/v2/", { authenticator, headers: { authorization } });
      expect(nobody).toEqual(missing);
    }
    for (const authorization of ["Basic YTpi", "Basic ?", "Bearer x"]) {
      const headers = { Authorization: authorization };
      const { status, message } = await messageOf("/v2/", { authenticator, headers });
      expect(status).toBe(401);
      expect(message).toStartWith("the credentials that came with this request are not accepted");
    }
  });

  test("says where the API is when a prefix is configured and missing", async () => {
    const settings = { HTTP_PREFIX: "/registry/" };
    for (const path of ["/v2/", "/", "/registryv2/"]) {
      expect(await messageOf(path, { settings })).toEqual({
        status: 404,
        message: `there is nothing at ${path}; the API of this registry starts at /registry/v2/, as http.prefix of its configuration says`,
      });
    }
  });
});

test("the access log has address and path also of a target that cannot be read", async () => {
  const seen: string[] = [];
  const onAnswer = (answered: Answered): void =>
    void seen.push(`${answered.seen.client?.address} ${answered.seen.path}`);
  await withWireRig({ driver: "memory", onAnswer }, async (rig) => {
    const headers = { "X-Forwarded-For": "203.0.113.9" };
    const long = `/v2/${"x".repeat(9_000)}`;
    for (const target of ["/v2/%E0%A4%A/x?token=a", long]) {
      await rig.send({ method: "GET", target, headers });
    }
    await rig.send({ method: "GET", target: "/v2/?token=a", headers: { ...headers, Host: "a b" } });
    expect(seen).toEqual(["203.0.113.9 /v2/%E0%A4%A/x", `203.0.113.9 ${long}`, "203.0.113.9 /v2/"]);
  });
});

test("the access log has the path that the client asked for, below the prefix and beside it", async () => {
  const paths: string[] = [];
  const settings = { HTTP_PREFIX: "/registry/" };
  const onAnswer = ({ seen }: { readonly seen: { readonly path: string } }): void =>
    void paths.push(seen.path);
  await withWireRig({ driver: "memory", settings, onAnswer }, async (rig) => {
    for (const target of ["/registry/v2/", "/v2/"]) await rig.send({ method: "GET", target });
  });
  expect(paths).toEqual(["/registry/v2/", "/v2/"]);
});

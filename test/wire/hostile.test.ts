/** What strangers send on purpose: nothing of it is answered with 500, and nothing of it stays. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Authenticator } from "../../src/auth/authenticator.ts";
import { headerOf, type RawAnswer, RawConnection, sendBytes } from "../support/raw-http.ts";
import { type WireRig, withWireRig } from "../support/wire-rig.ts";
import { blobOf, config, hello, image, unknownDigest } from "./content.ts";
import { traversals } from "./traversals.ts";

const noLength = { "Content-Length": "0" };

/** Every file below a folder with its size, and where it is a link or a pipe, that. */
function treeOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path} ${entry.isFile() ? statSync(path).size : "-"}`;
    })
    .sort();
}

async function pushImage(rig: WireRig): Promise<void> {
  for (const { bytes, digest } of [config, hello]) {
    const target = `/v2/foo/blobs/uploads/?digest=${digest}`;
    expect((await rig.send({ method: "POST", target, body: bytes })).status).toBe(201);
  }
  const put = await rig.send({
    method: "PUT",
    target: "/v2/foo/manifests/latest",
    headers: { "Content-Type": image.mediaType },
    body: image.bytes,
  });
  expect(put.status).toBe(201);
}

test("a token's subject of any length pushes, and its uploads are its own", async () => {
  const subjects = ["u".repeat(9_000), `${"u".repeat(9_000)}x`, "\u0000".repeat(300), "alice"];
  let name = "";
  const authenticator: Authenticator = {
    decide: () => ({ kind: "granted", identity: { kind: "token", name } }),
  };
  await withWireRig({ driver: "filesystem", authenticator }, async (rig) => {
    for (const subject of subjects) {
      name = subject;
      const begun = await rig.send({
        method: "POST",
        target: "/v2/foo/blobs/uploads/",
        headers: noLength,
      });
      const target = headerOf(begun, "location") ?? "";
      const statuses: number[] = [begun.status];
      for (name of subjects) statuses.push((await rig.send({ method: "GET", target })).status);
      expect(statuses).toEqual([202, ...subjects.map((other) => (other === subject ? 204 : 404))]);
      name = subject;
      const put = { method: "PUT", target: `${target}?digest=${hello.digest}`, body: hello.bytes };
      expect((await rig.send(put)).status).toBe(201);
    }
    expect(rig.errors).toEqual([]);
  });
});

describe("paths that lead out", () => {
  const places: Readonly<Record<string, (text: string) => readonly [string, string]>> = {
    name: (text) => ["GET", `/v2/${text}/tags/list`],
    "name of a push": (text) => ["PUT", `/v2/${text}/manifests/latest`],
    tag: (text) => ["GET", `/v2/foo/manifests/${text}`],
    "tag to delete": (text) => ["DELETE", `/v2/foo/manifests/${text}`],
    digest: (text) => ["GET", `/v2/foo/blobs/${text}`],
    "digest behind its algorithm": (text) => ["DELETE", `/v2/foo/blobs/sha256:${text}`],
    referrers: (text) => ["GET", `/v2/foo/referrers/${text}`],
    "upload id": (text) => ["DELETE", `/v2/foo/blobs/uploads/${text}`],
    from: (text) => ["POST", `/v2/foo/blobs/uploads/?mount=${hello.digest}&from=${text}`],
    mount: (text) => ["POST", `/v2/foo/blobs/uploads/?from=foo&mount=${text}`],
    "digest of an upload": (text) => ["POST", `/v2/foo/blobs/uploads/?digest=${text}`],
    last: (text) => ["GET", `/v2/foo/tags/list?last=${text}`],
    "last of the catalog": (text) => ["GET", `/v2/_catalog?n=3&last=${text}`],
    n: (text) => ["GET", `/v2/foo/tags/list?n=${text}`],
    tags: (text) => ["PUT", `/v2/foo/manifests/${image.digest}?tag=${text}`],
    "whole path": (text) => ["GET", `/${text}`],
  };

  for (const [place, targetOf] of Object.entries(places)) {
    test(`as ${place}: no 5xx, and not a file outside the data is touched`, () =>
      withWireRig({ driver: "filesystem" }, async (rig) => {
        await pushImage(rig);
        const outside = join(rig.outerFolder, "outside");
        mkdirSync(outside);
        writeFileSync(join(outside, "canary"), "the canary sings");
        writeFileSync(join(rig.outerFolder, "canary"), "the canary sings");
        const before = treeOf(rig.outerFolder).filter((line) => !line.includes("/_uploads"));
        for (const text of traversals) {
          const [method, target] = targetOf(text);
          const answer = await rig.send({ method, target, headers: noLength });
          if (answer.status >= 500) throw new Error(`${method} ${target}: ${answer.status}`);
          expect(answer.wholeText).not.toContain("the canary sings");
          // A mount that cannot be begins an upload; it would be one too many some time.
          if (answer.status === 202 && method === "POST") {
            await rig.send({ method: "DELETE", target: headerOf(answer, "location") ?? "" });
          }
        }
        const after = treeOf(rig.outerFolder).filter((line) => !line.includes("/_uploads"));
        expect(after).toEqual(before);
        expect(rig.errors).toEqual([]);
      }));
  }
});

describe("requests that two servers read differently", () => {
  const put = "PUT /v2/foo/manifests/x HTTP/1.1\r\nHost: a\r\n";
  const hidden = "GET /v2/hidden/tags/list HTTP/1.1\r\nHost: a\r\n\r\n";
  const corpus: Readonly<Record<string, string>> = {
    "a length and chunks": `${put}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "chunks and a length": `${put}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    "two lengths": `${put}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    "a list of lengths": `${put}Content-Length: 2, 2\r\n\r\n{}`,
    "a negative length": `${put}Content-Length: -1\r\n\r\n`,
    "a length with a sign": `${put}Content-Length: +2\r\n\r\n{}`,
    "a length in hexadecimal": `${put}Content-Length: 0x2\r\n\r\n{}`,
    "a length beyond all": `${put}Content-Length: 99999999999999999999\r\n\r\n{}`,
    "a length of nothing": `${put}Content-Length: \r\n\r\n`,
    "gzip as transfer coding": `${put}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n`,
    "gzip before chunked": `${put}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    "chunked before gzip": `${put}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
    "chunked twice": `${put}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "identity as transfer coding": `${put}Transfer-Encoding: identity\r\n\r\n`,
    "xchunked as transfer coding": `${put}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    "a space before the colon": `${put}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    "a vertical tab": `${put}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
    "a header continued on the next line": `${put}X-A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n`,
    "a bare CR in a header": `${put}X-A: b\rContent-Length: 30\r\n\r\n`,
    "a NUL in a header": `${put}X-A: b\0c\r\nContent-Length: 0\r\n\r\n`,
    "a space in a header's name": `${put}X A: b\r\nContent-Length: 0\r\n\r\n`,
    "a chunk size that is none": `${put}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
    "a negative chunk size": `${put}Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n`,
    "a chunk size beyond all": `${put}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx\r\n`,
    "a chunk longer than its size": `${put}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
    "a request behind a short body": `${put}Content-Length: 2\r\nContent-Length: 0\r\n\r\n${hidden}`,
  };

  for (const [name, bytes] of Object.entries(corpus)) {
    test(`${name} answers 400, and what comes behind is not read as a request`, () =>
      withWireRig({ driver: "memory" }, async (rig) => {
        const connection = await RawConnection.open(rig.port);
        await connection.write(bytes + hidden);
        const answer = await connection.answer("PUT");
        expect(answer?.status).toBe(400);
        const next = await connection.answer();
        expect(next?.wholeText ?? "").not.toContain("hidden");
        connection.destroy();
      }));
  }

  test("a body with a GET is read, and the next request on the connection is the next", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const connection = await RawConnection.open(rig.port);
      await connection.write(
        `GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}` +
          "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n",
      );
      expect((await connection.answer())?.body.toString()).toBe("{}");
      expect((await connection.answer())?.body.toString()).toBe('{"repositories":[]}');
      connection.destroy();
    }));
});

describe("lines that are no request", () => {
  const corpus: readonly string[] = [
    "GET /v2/ HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET /v2/ HTTP/1.1\nHost: a\n\n",
    "GET  /v2/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /v2/ foo HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET v2/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /v2/\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /v2/\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
    "GET /v2/ HTTP/1.1\r\n\r\n",
    `GET /v2/ HTTP/1.1\r\nHost: a\r\nX-A: ${"b".repeat(70_000)}\r\n\r\n`,
    `GET /v2/ HTTP/1.1\r\nHost: a\r\n${"X-A: b\r\n".repeat(1000)}\r\n`,
    `GET /v2/?${"b".repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /v2/?${"b".repeat(90_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ];

  for (const bytes of corpus) {
    test(`${JSON.stringify(bytes.slice(0, 50))} is refused`, () =>
      withWireRig({ driver: "memory" }, async (rig) => {
        const answer = await sendBytes(rig.port, bytes);
        // 505 comes from the socket's own parser, before there is a request.
        expect([undefined, 400, 404, 414, 431, 505]).toContain(answer?.status);
        expect((await rig.send({ method: "GET", target: "/v2/" })).status).toBe(200);
      }));
  }
});

test("HTTP/1.0 without a Host, as load balancers ask, is answered", () =>
  withWireRig({ driver: "memory" }, async (rig) => {
    expect((await sendBytes(rig.port, "GET /v2/ HTTP/1.0\r\n\r\n"))?.body.toString()).toBe("{}");
    expect((await sendBytes(rig.port, "OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS"))?.status).toBe(204);
    const climbing = await sendBytes(rig.port, "GET /v2/../x HTTP/1.0\r\n\r\n");
    expect(climbing?.status).toBe(404);
  }));

describe("headers of strangers", () => {
  test("a hostile Host answers 400 and comes back in nothing", () =>
    withWireRig({ driver: "memory", settings: { HTTP_RELATIVEURLS: "false" } }, async (rig) => {
      const hosts = [
        "evil.example/x?y",
        "a@evil.example",
        "evil.example:99999999",
        "evil example",
        "<evil>",
        "evil'",
        'evil"',
        "evil\\x",
        "evil,b",
        "evil;b",
        "evil{b",
        "evil.example#",
        "[evil]",
        "evil%",
      ];
      for (const host of hosts) {
        const answer = await rig.send({
          method: "POST",
          target: "/v2/foo/blobs/uploads/",
          headers: { ...noLength, Host: host },
        });
        expect(`${host} ${answer.status}`).toBe(`${host} 400`);
        expect(answer.wholeText).not.toContain("evil");
      }
    }));

  test("names that JavaScript knows are headers like others", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const headers = { __proto__x: "1", constructor: "y", toString: "z", hasOwnProperty: "q" };
      expect((await rig.send({ method: "GET", target: "/v2/", headers })).status).toBe(200);
      const proto = "GET /v2/ HTTP/1.1\r\nHost: a\r\n__proto__: x\r\n\r\n";
      expect((await sendBytes(rig.port, proto))?.status).toBe(200);
    }));

  test("line breaks in a path or a query stay inside of the answer's body", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const breaks = ["%0d%0aSet-Cookie:%20a=b", "%0aX-Evil:%201", "%E5%98%8A%E5%98%8DX-Evil:1"];
      const targets = breaks.flatMap((text) => [
        `/v2/foo/tags/list?last=${text}&n=1`,
        `/v2/${text}/tags/list`,
        `/v2/foo/manifests/${text}`,
        `/v2/foo/blobs/${text}`,
        `/${text}`,
      ]);
      for (const target of targets) {
        const answer = await rig.send({ method: "GET", target });
        const names = answer.headers.map(([name]) => name);
        expect(names).not.toContain("set-cookie");
        expect(names).not.toContain("x-evil");
      }
    }));

  test("a request id that is no plain text does not come back as it was", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      for (const id of ["a\tb", "é\x80", "x".repeat(500), '"><script>', "a b"]) {
        const answer = await rig.send({
          method: "GET",
          target: "/nowhere",
          headers: { "X-Request-Id": id },
        });
        expect(headerOf(answer, "x-request-id") ?? "").toMatch(/^[\x20-\x7e]{1,64}$/);
      }
    }));
});

describe("what a browser could render", () => {
  const policy = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
  };

  function isForDownload(answer: RawAnswer, mediaType: string): void {
    for (const [name, value] of Object.entries(policy)) {
      expect(`${name}: ${headerOf(answer, name)}`).toBe(`${name}: ${value}`);
    }
    expect(headerOf(answer, "content-disposition")).toMatch(/^attachment; filename="[0-9a-f]+/);
    expect(headerOf(answer, "content-type")).toBe(mediaType);
  }

  test("a blob of HTML is a download, in parts and by HEAD too", () =>
    withWireRig({ driver: "filesystem" }, async (rig) => {
      const html = blobOf("<script>alert(1)</script>");
      const url = `/v2/foo/blobs/${html.digest}`;
      await rig.send({
        method: "POST",
        target: `/v2/foo/blobs/uploads/?digest=${html.digest}`,
        headers: { "Content-Type": "text/html" },
        body: html.bytes,
      });
      for (const headers of [{}, { Range: "bytes=0-3" }, { Accept: "text/html" }]) {
        isForDownload(
          await rig.send({ method: "GET", target: url, headers }),
          "application/octet-stream",
        );
      }
      isForDownload(await rig.send({ method: "HEAD", target: url }), "application/octet-stream");
    }));

  test("a manifest is a download of a manifest's type", () =>
    withWireRig({ driver: "filesystem" }, async (rig) => {
      await pushImage(rig);
      for (const method of ["GET", "HEAD"]) {
        const answer = await rig.send({ method, target: "/v2/foo/manifests/latest" });
        isForDownload(answer, image.mediaType);
      }
    }));

  test("an error that quotes what was asked is JSON, and no page", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const answer = await rig.send({ method: "GET", target: "/v2/foo/manifests/%3Cscript%3E" });
      expect(headerOf(answer, "content-type")).toBe("application/json");
      expect(headerOf(answer, "x-content-type-options")).toBe("nosniff");
    }));
});

describe("sessions of others", () => {
  test("an upload answers in its own repository only, and its bytes stay", () =>
    withWireRig({ driver: "filesystem" }, async (rig) => {
      const begun = await rig.send({
        method: "POST",
        target: "/v2/mine/blobs/uploads/",
        headers: noLength,
      });
      const own = headerOf(begun, "location") ?? "";
      await rig.send({ method: "PATCH", target: own, body: "hello" });
      const [id = ""] = own.split("/").slice(-1);
      const data = join(rig.dataFolder, `docker/registry/v2/repositories/mine/_uploads/${id}/data`);
      for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
        const answer = await rig.send({
          method,
          target: `/v2/yours/blobs/uploads/${id}?digest=${unknownDigest}`,
          ...(method === "PATCH" || method === "PUT" ? { body: "evil" } : {}),
        });
        expect(answer.status).toBe(404);
        expect(readFileSync(data, "utf8")).toBe("hello");
      }
    }));
});

import { expect, test } from "bun:test";
import { emptyReply, SharedHeaders } from "./reply.ts";
import { noExtra, Writer } from "./writer.ts";

test("prepared headers serve HEAD after HEAD, also at the same time", async () => {
  const writer = new Writer({ "X-Configured": "yes" });
  const headers = new SharedHeaders({ "Content-Length": "60000", ETag: '"one"' });
  const others = new SharedHeaders({ "Content-Length": "7", ETag: '"other"' });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async ({ method, url }) => {
      await Bun.sleep(1);
      const reply = { status: 200, headers: url.endsWith("/other") ? others : headers };
      return writer.write(reply, { method, extra: noExtra });
    },
  });
  try {
    const ask = async (path: string): Promise<(string | number | null)[]> => {
      const { status, headers } = await fetch(new URL(path, server.url), { method: "HEAD" });
      const names = ["content-length", "etag", "x-configured", "x-content-type-options"];
      return [status, ...names.map((name) => headers.get(name))];
    };
    const one = [200, "60000", '"one"', "yes", "nosniff"];
    const other = [200, "7", '"other"', "yes", "nosniff"];
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(["one", "other", "one", "one", "other"].map(ask));
      expect(answers).toEqual([one, other, one, one, other]);
    }
  } finally {
    await server.stop(true);
  }
});

test("headers of one answer alone are not kept for the next", () => {
  const writer = new Writer({});
  const reply = { status: 200, headers: new SharedHeaders({ "Content-Length": "1" }) };
  const write = (extra: Record<string, string>): string | null =>
    writer.write(reply, { method: "HEAD", extra }).headers.get("x-request-id");
  expect(write({ "X-Request-Id": "first" })).toBe("first");
  expect(writer.write(reply, { method: "HEAD", extra: noExtra }).headers.has("x-request-id")).toBe(
    false,
  );
  expect(write({ "X-Request-Id": "second" })).toBe("second");
  expect(writer.write(emptyReply(204), { method: "HEAD", extra: noExtra }).status).toBe(204);
});

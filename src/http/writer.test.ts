import { expect, test } from "bun:test";
import { systemClock } from "../base/clock.ts";
import { emptyReply, type Reply, SharedHeaders } from "./reply.ts";
import { noExtra, Writer } from "./writer.ts";

test("prepared headers serve HEAD after HEAD, also at the same time", async () => {
  const writer = new Writer({ "X-Configured": "yes" }, systemClock);
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
  const writer = new Writer({}, systemClock);
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

test("a HEAD has the date of now, each time anew, and the runtime dates the rest", () => {
  let nowMs = Date.UTC(1994, 10, 6, 8, 49, 37, 999);
  const writer = new Writer({}, { nowMs: () => nowMs, monotonicMs: () => 0 });
  const shared = { status: 200, headers: new SharedHeaders({ "Content-Length": "1" }) };
  const write = (reply: Reply, method: string): string | null =>
    writer.write(reply, { method, extra: noExtra }).headers.get("date");
  for (const reply of [shared, emptyReply(200), emptyReply(304)]) {
    nowMs = Date.UTC(1994, 10, 6, 8, 49, 37, 999);
    expect(write(reply, "HEAD")).toBe("Sun, 06 Nov 1994 08:49:37 GMT");
    nowMs += 1;
    expect(write(reply, "HEAD")).toBe("Sun, 06 Nov 1994 08:49:38 GMT");
    expect(write(reply, "GET")).toBeNull();
  }
});

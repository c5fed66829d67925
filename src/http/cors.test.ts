import { afterAll, expect, test } from "bun:test";
import { systemClock } from "../base/clock.ts";
import { readExtraHeaders } from "./cors.ts";
import { jsonReply } from "./reply.ts";
import { noExtra, Writer } from "./writer.ts";

const servers: Bun.Server<undefined>[] = [];
afterAll(() => Promise.all(servers.map((server) => server.stop(true))));

/** The headers of an answer as they arrive, with `http.headers` set to `configured`. */
async function arriving(configured: Readonly<Record<string, readonly string[]>>): Promise<Headers> {
  const writer = new Writer(
    readExtraHeaders(new Map(Object.entries(configured))).fixed,
    systemClock,
  );
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ method }) => writer.write(jsonReply({}), { method, extra: noExtra }),
  });
  servers.push(server);
  const response = await fetch(server.url);
  expect(response.status).toBe(200);
  return response.headers;
}

test("a configured value of any script goes out as its bytes in UTF-8", async () => {
  const headers = await arriving({ "X-Motto": ["grün", "日本"] });
  expect(Buffer.from(headers.get("x-motto") ?? "", "latin1").toString("utf8")).toBe("grün, 日本");
});

test("a name from the environment, in lower case, is the header that it names", async () => {
  const headers = await arriving({
    "content-type": ["text/html"],
    "x-content-type-options": ["nosniff"],
    "docker-distribution-api-version": ["registry/2.0"],
    "x-frame-options": ["DENY"],
  });
  expect(headers.get("content-type")).toBe("application/json");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("docker-distribution-api-version")).toBe("registry/2.0");
  expect(headers.get("x-frame-options")).toBe("DENY");
});

test("several origins add to what an answer varies by", async () => {
  const headers = await arriving({
    "access-control-allow-origin": ["https://a.example", "https://b.example"],
    vary: ["Accept"],
  });
  expect(headers.get("vary")).toBe("Accept, Origin");
  expect(headers.has("access-control-allow-origin")).toBe(false);
});

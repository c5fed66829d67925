import { describe, expect, test } from "bun:test";
import { Client, proxyTrust } from "./forwarded.ts";

function client(headers: Readonly<Record<string, string>>, cidrs?: readonly string[]): Client {
  const peer = { address: () => "10.0.0.1", isTls: false, keepOpen: () => undefined };
  return new Client({ headers: new Headers(headers), peer, host: "direct" }, proxyTrust(cidrs));
}

describe("the address of a client behind proxies", () => {
  test.each([
    [{}, "10.0.0.1"],
    [{ "X-Forwarded-For": "192.0.2.1, 10.0.0.9" }, "192.0.2.1"],
    [{ "X-Forwarded-For": "2001:db8::1" }, "2001:db8::1"],
    // Some load balancers add the port.
    [{ "X-Forwarded-For": "192.0.2.1:4711" }, "192.0.2.1"],
    [{ "X-Forwarded-For": "[2001:db8::1]:4711" }, "2001:db8::1"],
    [{ Forwarded: "for=192.0.2.1" }, "192.0.2.1"],
    // The examples of RFC 7239, 4 and 6.
    [{ Forwarded: 'For="[2001:db8:cafe::17]:4711"' }, "2001:db8:cafe::17"],
    [{ Forwarded: 'for="192.0.2.43:47011";proto=http' }, "192.0.2.43"],
    [{ Forwarded: "for=unknown" }, "10.0.0.1"],
    [{ Forwarded: "for=_hidden, for=192.0.2.1" }, "10.0.0.1"],
    [{ "X-Real-IP": "192.0.2.2" }, "192.0.2.2"],
    [{ "X-Real-IP": "192.0.2.2", "X-Forwarded-For": "192.0.2.1" }, "192.0.2.1"],
    [{ "X-Real-IP": "192.0.2.2", "X-Forwarded-For": "nonsense" }, "192.0.2.2"],
    [{ "X-Forwarded-For": "[192.0.2.1" }, "10.0.0.1"],
    [{ "X-Forwarded-For": "192.0.2.1:x" }, "10.0.0.1"],
  ])("%j is %s", (headers, address) => {
    expect(client(headers as Readonly<Record<string, string>>).address).toBe(address);
  });

  test("is what the socket says when the proxy is not trusted", () => {
    for (const name of ["X-Forwarded-For", "X-Real-IP"]) {
      expect(client({ [name]: "192.0.2.1" }, ["192.0.2.0/24"]).address).toBe("10.0.0.1");
    }
  });
});

test("a scheme counts in any case", () => {
  expect(client({ "X-Forwarded-Proto": "HTTPS" }).origin).toBe("https://direct");
  expect(client({ Forwarded: "Proto=Https;Host=a" }).origin).toBe("https://a");
  expect(client({ "X-Forwarded-Proto": "gopher" }).origin).toBe("http://direct");
});

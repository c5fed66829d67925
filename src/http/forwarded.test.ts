import { expect, test } from "bun:test";
import { Client, proxyTrust } from "./forwarded.ts";

/** The address of a client whose request came from `from` with these headers. */
function addressOf(
  headers: Readonly<Record<string, string>>,
  trusted: readonly string[] | undefined,
  from = "127.0.0.1",
): string {
  const peer = { address: () => from, isTls: false, keepOpen: () => undefined };
  const arrival = { headers: new Headers(headers), peer, host: "registry.example" };
  return new Client(arrival, proxyTrust(trusted)).address;
}

const forwardedFor = (value: string) => ({ "X-Forwarded-For": value });

test("without a list of proxies the first address counts, as in Distribution", () => {
  expect(addressOf(forwardedFor("203.0.113.9, 10.0.0.1"), undefined)).toBe("203.0.113.9");
});

test("with a list, what a client has put in front of the proxies' addresses does not count", () => {
  const proxies = ["127.0.0.1", "10.0.0.0/8"];
  expect(addressOf(forwardedFor("192.0.2.66, 203.0.113.9"), proxies)).toBe("203.0.113.9");
  expect(addressOf(forwardedFor("192.0.2.66, 203.0.113.9, 10.0.0.1"), proxies)).toBe("203.0.113.9");
  expect(addressOf({ Forwarded: "for=192.0.2.66, for=203.0.113.9" }, proxies)).toBe("203.0.113.9");
  // A client inside: all of them are proxies, and the first is the farthest.
  expect(addressOf(forwardedFor("10.0.0.7, 10.0.0.1"), proxies)).toBe("10.0.0.7");
  expect(addressOf(forwardedFor("203.0.113.9"), proxies, "198.51.100.1")).toBe("198.51.100.1");
});

test("an address that anybody may have made up is not proven", () => {
  const peer = { address: () => "127.0.0.1", isTls: false, keepOpen: () => undefined };
  const headers = new Headers(forwardedFor("192.0.2.66"));
  const arrival = { headers, peer, host: "direct" };
  expect(new Client(arrival, proxyTrust(undefined)).provenAddress).toBe("127.0.0.1");
  expect(new Client(arrival, proxyTrust(["127.0.0.1"])).provenAddress).toBe("192.0.2.66");
});

test("who has hung up already is no proxy that is trusted, and no Unix socket", () => {
  const gone = { address: () => undefined, isTls: false, keepOpen: () => undefined };
  const headers = new Headers({ ...forwardedFor("192.0.2.66"), "X-Forwarded-Proto": "https" });
  const arrival = { headers, peer: gone, host: "direct" };
  const distrusted = new Client(arrival, proxyTrust(["127.0.0.1"]));
  expect([distrusted.address, distrusted.origin]).toEqual(["", "http://direct"]);
  expect(new Client(arrival, proxyTrust(undefined)).address).toBe("192.0.2.66");
});

test.each([
  ['for="[2001:db8::1]:77";proto=https', "2001:db8::1"],
  ['for="[2001:db8::1]"', "2001:db8::1"],
  ['for="203.0.113.9:4711"', "203.0.113.9"],
  ["for=unknown", "127.0.0.1"],
  ["for=_hidden, for=203.0.113.9", "203.0.113.9"],
])("Forwarded: %s comes from %s", (value, address) => {
  expect(addressOf({ Forwarded: value }, undefined)).toBe(address);
});

test.each([
  ["203.0.113.9:4711", "203.0.113.9"],
  ["2001:db8::1", "2001:db8::1"],
  ['203.0.113.9" evil', "127.0.0.1"],
  ["", "127.0.0.1"],
  [", ,", "127.0.0.1"],
])("X-Forwarded-For: %p comes from %s", (value, address) => {
  expect(addressOf(forwardedFor(value), undefined)).toBe(address);
});

test("X-Real-IP counts where nothing else names an address, as in Distribution", () => {
  const real = { "X-Real-IP": "203.0.113.9" };
  expect(addressOf(real, undefined)).toBe("203.0.113.9");
  expect(addressOf({ ...real, ...forwardedFor("192.0.2.1") }, undefined)).toBe("192.0.2.1");
  expect(addressOf({ ...real, Forwarded: "for=192.0.2.1" }, undefined)).toBe("192.0.2.1");
  expect(addressOf({ ...real, ...forwardedFor("nonsense") }, undefined)).toBe("203.0.113.9");
  expect(addressOf({ "X-Real-IP": "nonsense" }, undefined)).toBe("127.0.0.1");
  expect(addressOf(real, ["10.0.0.0/8"])).toBe("127.0.0.1");
});

test.each([
  [{ "X-Forwarded-Proto": "HTTPS" }, "https://direct"],
  [{ Forwarded: "Proto=Https;Host=a" }, "https://a"],
  [{ "X-Forwarded-Proto": "gopher" }, "http://direct"],
])("a scheme counts in any case: %j", (headers, origin) => {
  const peer = { address: () => "127.0.0.1", isTls: false, keepOpen: () => undefined };
  const arrival = { headers: new Headers(Object.entries(headers)), peer, host: "direct" };
  expect(new Client(arrival, proxyTrust(undefined)).origin).toBe(origin);
});

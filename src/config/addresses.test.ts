import { describe, expect, test } from "bun:test";
import {
  isHeaderName,
  isHeaderValue,
  isNetwork,
  parseGoRegExp,
  parseHostPort,
  parseOrigin,
} from "./addresses.ts";

test.each([
  [":5000", { port: 5000 }],
  ["0.0.0.0:5000", { host: "0.0.0.0", port: 5000 }],
  ["localhost:0", { host: "localhost", port: 0 }],
  ["[::1]:5000", { host: "::1", port: 5000 }],
  ["5000", undefined],
  ["localhost", undefined],
  ["::1:5000", undefined],
  ["[::g]:5000", undefined],
  [":65536", undefined],
  [":http", undefined],
  ["http://localhost:5000", undefined],
])("address %s", (text, address) => {
  expect(parseHostPort(text)).toEqual(address);
});

test.each([
  ["10.0.0.0/8", true],
  ["127.0.0.1", true],
  ["::1", true],
  ["fd00::/8", true],
  ["::ffff:10.0.0.1/104", true],
  ["10.0.0.0/33", false],
  ["fd00::/129", false],
  ["10.0.0/8", false],
  ["256.0.0.1", false],
  ["010.0.0.1", false],
  ["example.com", false],
  ["10.0.0.0/8/8", false],
  ["10.0.0.0/", false],
  ["fe80::1%eth0", false],
  ["", false],
])("network %s", (text, is) => {
  expect(isNetwork(text)).toBe(is);
});

test.each([
  ["https://registry.example.com", "https://registry.example.com"],
  ["https://registry.example.com:5443/", "https://registry.example.com:5443"],
  ["http://example.com/a/", "http://example.com/a"],
  ["registry.example.com", undefined],
  ["ftp://example.com", undefined],
  ["https://user:pass@example.com", undefined],
  ["https://example.com/?a=b", undefined],
])("external URL %s", (text, origin) => {
  expect(parseOrigin(text)).toBe(origin);
});

test("a header cannot be used to add another one", () => {
  expect(["X-A", "access-control-allow-origin"].every(isHeaderName)).toBe(true);
  expect(["", "X A", "X:A", "X\n"].some(isHeaderName)).toBe(false);
  expect(["", "*", "a\tb", "ümlaut"].every(isHeaderValue)).toBe(true);
  expect(["a\r\nX-B: c", "a\nb", "a\u0000", "\u007f"].some(isHeaderValue)).toBe(false);
});

describe("Go's regular expressions", () => {
  test.each([
    ["^https://a.example/", "https://a.example/x", true],
    ["(?i)^HTTPS://A", "https://a", true],
    ["(?P<scheme>https?)://", "http://a", true],
    ["\\Ahttps://[^/]+\\z", "https://a", true],
    ["\\Ahttps://[^/]+\\z", "https://a/b", false],
  ])("%s", (pattern, text, does) => {
    expect(parseGoRegExp(pattern)?.test(text)).toBe(does);
  });

  test.each(["(", "[[:alpha:]]+", "*a"])("%s is none that can be used", (pattern) => {
    expect(parseGoRegExp(pattern)).toBeUndefined();
  });
});

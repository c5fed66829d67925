import { expect, test } from "bun:test";
import { formatRegistryHost, parseRegistryHost } from "./registry-host.ts";

test.each([
  ["registry.example", "registry.example", false, "registry.example:5000"],
  ["Registry.Example:8443", "registry.example", false, "registry.example:8443"],
  ["registry.example:443", "registry.example", false, "registry.example"],
  ["localhost", "localhost", false, "localhost:5000"],
  ["my_registry", "my_registry", false, "my_registry:5000"],
  ["*.example.com", "*.example.com", false, "*.example.com:5000"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example", false, "xn--bcher-kva.example:5000"],
  ["192.0.2.7", "192.0.2.7", true, "192.0.2.7:5000"],
  ["192.0.2.7:443", "192.0.2.7", true, "192.0.2.7"],
  ["2001:DB8::7", "2001:db8::7", true, "[2001:db8::7]:5000"],
  ["[::1]", "::1", true, "[::1]:5000"],
  ["[::1]:8443", "::1", true, "[::1]:8443"],
])("%s is %s (address: %p), written %s", (text, name, isAddress, written) => {
  const host = parseRegistryHost(text, 5_000);
  expect(host?.name).toBe(name);
  expect(host?.isAddress).toBe(isAddress);
  expect(host !== undefined && formatRegistryHost(host)).toBe(written);
});

test.each([
  "",
  ":5000",
  "https://registry.example",
  "registry.example/v2",
  "registry example",
  "registry..example",
  ".example",
  "example.",
  "-a.example",
  "a-.example",
  "a.*.example",
  "*",
  "registry.example:0",
  "registry.example:65536",
  "registry.example:",
  "registry.example:5000:5000",
  "300.1.1.1",
  "1.2.3",
  "[192.0.2.7]",
  "[registry.example]",
  "[::1",
  "::1]",
  "bücher.example",
  "a\nb",
  `${"x".repeat(64)}.example`,
  "a.".repeat(130),
])("%p is no host", (text) => {
  expect(parseRegistryHost(text, 5_000)).toBeUndefined();
});

import { expect, test } from "bun:test";
import { formatRegistryHost, parseRegistryHost } from "./registry-host.ts";

test.each([
  [
    "registry.example",
    { name: "registry.example", isAddress: false, written: "registry.example:5000" },
  ],
  [
    "Registry.Example:8443",
    { name: "registry.example", isAddress: false, written: "registry.example:8443" },
  ],
  [
    "registry.example:443",
    { name: "registry.example", isAddress: false, written: "registry.example" },
  ],
  ["localhost", { name: "localhost", isAddress: false, written: "localhost:5000" }],
  ["my_registry", { name: "my_registry", isAddress: false, written: "my_registry:5000" }],
  ["*.example.com", { name: "*.example.com", isAddress: false, written: "*.example.com:5000" }],
  [
    "xn--bcher-kva.example",
    { name: "xn--bcher-kva.example", isAddress: false, written: "xn--bcher-kva.example:5000" },
  ],
  ["192.0.2.7", { name: "192.0.2.7", isAddress: true, written: "192.0.2.7:5000" }],
  ["192.0.2.7:443", { name: "192.0.2.7", isAddress: true, written: "192.0.2.7" }],
  ["2001:DB8::7", { name: "2001:db8::7", isAddress: true, written: "[2001:db8::7]:5000" }],
  [
    "::ffff:192.0.2.7",
    { name: "::ffff:c000:207", isAddress: true, written: "[::ffff:c000:207]:5000" },
  ],
  [
    "[64:ff9b::192.0.2.7]:443",
    { name: "64:ff9b::c000:207", isAddress: true, written: "[64:ff9b::c000:207]" },
  ],
  ["[::1]", { name: "::1", isAddress: true, written: "[::1]:5000" }],
  ["[::1]:8443", { name: "::1", isAddress: true, written: "[::1]:8443" }],
])("%s is the host %p", (text, { name, isAddress, written }) => {
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
  "fe80::1%eth0",
  "[fe80::1%eth0]:5000",
  "bücher.example",
  "a\nb",
  `${"x".repeat(64)}.example`,
  "a.".repeat(130),
])("%p is no host", (text) => {
  expect(parseRegistryHost(text, 5_000)).toBeUndefined();
});

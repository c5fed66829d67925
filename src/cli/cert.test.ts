import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { type CertificateOptions, initCertificates } from "./cert.ts";

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 1);

interface Workshop extends Disposable {
  readonly folder: string;
  readonly out: string[];
  readonly err: string[];
  init(options?: Partial<CertificateOptions>): Promise<number>;
  readonly read: (name: string) => string;
  certificate(name: string): X509Certificate;
}

function workshop(clock: Clock = clockAt(startMs)): Workshop {
  const parent = mkdtempSync(join(tmpdir(), "berth-cert-"));
  const folder = join(parent, "certs");
  const out: string[] = [];
  const err: string[] = [];
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  return {
    folder,
    out,
    err,
    read,
    init: (options = {}) =>
      initCertificates(
        {
          hosts: ["registry.example"],
          folder,
          port: 5_000,
          force: false,
          clock,
          random: systemRandom,
          ...options,
        },
        {
          stdout: { write: (text) => out.push(text) },
          stderr: { write: (text) => err.push(text) },
        },
      ),
    certificate: (name) => new X509Certificate(read(name)),
    [Symbol.dispose]: () => rmSync(parent, { recursive: true, force: true }),
  };
}

function clockAt(nowMs: number): Clock {
  return { nowMs: () => nowMs, monotonicMs: () => 0 };
}

test("an authority and a certificate for all hosts are made, with keys that others cannot read", async () => {
  using shop = workshop();
  const hosts = [
    "registry.example:8443",
    "Registry.Example",
    "localhost",
    "192.0.2.7",
    "[::1]:5000",
  ];
  expect(await shop.init({ hosts })).toBe(0);

  const modes = readdirSync(shop.folder)
    .toSorted()
    .map((name) => [name, statSync(join(shop.folder, name)).mode & 0o777]);
  expect(modes).toEqual([
    ["ca.crt", 0o644],
    ["ca.key", 0o600],
    ["registry.crt", 0o644],
    ["registry.key", 0o600],
  ]);

  const authority = shop.certificate("ca.crt");
  const server = shop.certificate("registry.crt");
  expect(authority.ca).toBe(true);
  expect(server.ca).toBe(false);
  expect(server.checkIssued(authority)).toBe(true);
  expect(server.verify(authority.publicKey)).toBe(true);
  for (const name of ["registry.example", "localhost"]) expect(server.checkHost(name)).toBe(name);
  for (const ip of ["192.0.2.7", "::1"]) expect(server.checkIP(ip)).toBe(ip);
  expect(server.subjectAltName?.split(", ")).toHaveLength(4);
  // The chain that the server sends: its own certificate, then the authority's.
  expect(shop.read("registry.crt").endsWith(shop.read("ca.crt"))).toBe(true);
});

test("the authority is for ten years and the server's certificate for 825 days at most", async () => {
  using shop = workshop();
  await shop.init();
  const days = ({ validFrom, validTo }: X509Certificate): number =>
    (Date.parse(validTo) - Date.parse(validFrom)) / dayMs;
  expect(days(shop.certificate("ca.crt"))).toBe(3_650);
  expect(days(shop.certificate("registry.crt"))).toBeLessThanOrEqual(825);
  expect(days(shop.certificate("registry.crt"))).toBeGreaterThan(800);
  expect(Date.parse(shop.certificate("registry.crt").validFrom)).toBeLessThan(startMs);
});

test("a server with these files is trusted by a client with the authority, and by no other", async () => {
  using shop = workshop(systemClock);
  await shop.init({ hosts: ["localhost", "127.0.0.1"] });
  using other = workshop(systemClock);
  await other.init({ hosts: ["localhost", "127.0.0.1"] });

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: shop.read("registry.crt"), key: shop.read("registry.key") },
    fetch: () => new Response("reached"),
  });
  try {
    const ask = async (host: string, tls: { readonly ca?: string }): Promise<string> => {
      const response = await fetch(`https://${host}:${server.port}/`, { tls });
      return response.text();
    };
    expect(await ask("127.0.0.1", { ca: shop.read("ca.crt") })).toBe("reached");
    for (const tls of [{ ca: other.read("ca.crt") }, {}]) {
      const failure = await ask("127.0.0.1", tls).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
    }
  } finally {
    await server.stop(true);
  }
});

test("a certificate is not valid for a host that was not named", async () => {
  using shop = workshop(systemClock);
  await shop.init({ hosts: ["registry.example"] });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: shop.read("registry.crt"), key: shop.read("registry.key") },
    fetch: () => new Response("reached"),
  });
  try {
    const url = `https://127.0.0.1:${server.port}/`;
    const asked = fetch(url, { tls: { ca: shop.read("ca.crt") } });
    expect(await asked.catch((error: unknown) => error)).toBeInstanceOf(Error);
  } finally {
    await server.stop(true);
  }
});

test("a certificate that is there is replaced only by force, and the authority stays", async () => {
  using shop = workshop();
  await shop.init();
  const before = ["ca.crt", "ca.key", "registry.crt", "registry.key"].map(shop.read);
  expect(await shop.init({ hosts: ["other.example"] })).toBe(2);
  expect(shop.err.join("")).toContain("--force");
  expect(["ca.crt", "ca.key", "registry.crt", "registry.key"].map(shop.read)).toEqual(before);

  expect(await shop.init({ hosts: ["other.example"], force: true })).toBe(0);
  expect([shop.read("ca.crt"), shop.read("ca.key")]).toEqual(before.slice(0, 2));
  const server = shop.certificate("registry.crt");
  expect(server.checkHost("other.example")).toBe("other.example");
  expect(server.checkIssued(shop.certificate("ca.crt"))).toBe(true);
  expect(readdirSync(shop.folder)).toHaveLength(4);
});

test("near its end, the authority limits the certificate; after it, nothing is signed", async () => {
  using shop = workshop();
  await shop.init();
  const late = { force: true, clock: clockAt(startMs + 3_600 * dayMs) };
  expect(await shop.init(late)).toBe(0);
  expect(shop.certificate("registry.crt").validTo).toBe(shop.certificate("ca.crt").validTo);
  const before = shop.read("registry.crt");
  expect(await shop.init({ force: true, clock: clockAt(startMs + 3_650 * dayMs) })).toBe(2);
  expect(shop.err.join("")).toContain("ended");
  expect(shop.read("registry.crt")).toBe(before);
});

test("half an authority, a foreign key, or a plain certificate in its place is refused", async () => {
  using shop = workshop();
  using other = workshop();
  await shop.init();
  await other.init();
  const at = (name: string): string => join(shop.folder, name);
  const ca = shop.read("ca.crt");

  renameSync(at("ca.key"), at("away"));
  expect(await shop.init({ force: true })).toBe(2);
  writeFileSync(at("ca.key"), other.read("ca.key"));
  expect(await shop.init({ force: true })).toBe(2);
  writeFileSync(at("ca.crt"), shop.read("registry.crt"));
  expect(await shop.init({ force: true })).toBe(2);
  expect(shop.err.map((line) => line.trim())).toEqual([
    expect.stringContaining("only one is there"),
    expect.stringContaining("do not belong together"),
    expect.stringContaining("no certificate authority"),
  ]);

  writeFileSync(at("ca.crt"), "junk");
  const failure = await shop.init({ force: true }).catch((error: unknown) => error);
  expect(String(failure)).toContain("ca.crt");
  writeFileSync(at("ca.crt"), ca);
  renameSync(at("away"), at("ca.key"));
  expect(await shop.init({ force: true })).toBe(0);
});

test.each([[[]], [["https://registry.example"]], [["registry.example", "a b"]]])(
  "hosts %p: refused, and nothing is made",
  async (hosts) => {
    using shop = workshop();
    expect(await shop.init({ hosts })).toBe(2);
    expect(() => readdirSync(shop.folder)).toThrow();
  },
);

test("the advice names, for each client, the file that it reads", async () => {
  using shop = workshop();
  await shop.init({ hosts: ["registry.example", "registry.example:443", "[::1]", "*.example"] });
  const advice = shop.out.join("");
  expect(advice).toContain(`      certificate: ${join(shop.folder, "registry.crt")}\n`);
  expect(advice).toContain(`      key: ${join(shop.folder, "registry.key")}\n`);
  for (const host of ["registry.example:5000", "registry.example", "[::1]:5000"]) {
    expect(advice).toContain(`/etc/docker/certs.d/${host}/ca.crt`);
    expect(advice).toContain(`/etc/containers/certs.d/${host}/ca.crt`);
    expect(advice).toContain(`/etc/containerd/certs.d/${host}/hosts.toml`);
    expect(advice).toContain(`[host."https://${host}"]`);
    expect(advice).toMatch(
      new RegExp(`curl --cacert \\S+ '?https://${host.replace(/[[\]]/g, "\\$&")}/v2/`),
    );
  }
  // A wildcard is in the certificate, but no client keeps a folder for it.
  expect(advice).not.toContain("certs.d/*");
});

test("a folder with a space or a quote in its name is quoted", async () => {
  using shop = workshop();
  await shop.init({ folder: join(shop.folder, "it's mine") });
  const advice = shop.out.join("");
  expect(advice).toContain("it'\\''s mine/ca.crt'");
  expect(advice).toContain(`certificate: "${join(shop.folder, "it's mine", "registry.crt")}"`);
});

test.each([
  [{ port: 99_999 }, "99999 is not a port: they go from 1 to 65535"],
  [{ hosts: ["registry.example:70000"] }, "70000 is not a port: they go from 1 to 65535"],
  [
    { hosts: ["https://registry.example"] },
    '"https://registry.example" is not a host: write a name or an address, such as registry.example',
  ],
])("%p is refused with what is wrong in it", async (options, sentence) => {
  using shop = workshop();
  expect(await shop.init(options)).toBe(2);
  expect(shop.err.join("")).toBe(`${sentence}\n`);
});

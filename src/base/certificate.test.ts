import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import {
  type CertificateIssuer,
  type CertificateRequest,
  certificatePem,
  issueCertificate,
} from "./certificate.ts";
import { systemRandom } from "./random.ts";

const notBeforeMs = Date.UTC(2026, 0, 1);
const notAfterMs = Date.UTC(2028, 0, 1);

function issue(
  commonName: string,
  role: CertificateRequest["role"],
  issuer?: CertificateIssuer,
): { issued: CertificateIssuer; read: X509Certificate } {
  const issued = issueCertificate({
    commonName,
    role,
    issuer,
    notBeforeMs,
    notAfterMs,
    random: systemRandom,
  });
  return { issued, read: new X509Certificate(certificatePem(issued.certificate)) };
}

const server = {
  kind: "server",
  dnsNames: ["registry.example", "*.registry.example"],
  ipAddresses: ["192.0.2.7", "2001:db8::7"],
} as const;

test("an authority signs itself, and may sign others", () => {
  const { issued, read } = issue("The harbour", { kind: "authority" });
  expect(read.ca).toBe(true);
  expect(read.subject).toBe("CN=The harbour");
  expect(read.checkIssued(read)).toBe(true);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkPrivateKey(issued.privateKey)).toBe(true);
});

test("a server's certificate is signed by its authority and by no other of the same name", () => {
  const authority = issue("The harbour", { kind: "authority" });
  const other = issue("The harbour", { kind: "authority" });
  const { issued, read } = issue("registry.example", server, authority.issued);
  expect(read.ca).toBe(false);
  expect(read.checkIssued(authority.read)).toBe(true);
  expect(read.verify(authority.read.publicKey)).toBe(true);
  expect(read.checkIssued(other.read)).toBe(false);
  expect(read.verify(other.read.publicKey)).toBe(false);
  expect(read.checkPrivateKey(issued.privateKey)).toBe(true);
});

test("a server's certificate holds for its names and addresses and for no others", () => {
  const { read } = issue("registry.example", server);
  expect(read.checkHost("registry.example")).toBe("registry.example");
  expect(read.checkHost("a.registry.example")).toBe("*.registry.example");
  expect(read.checkHost("example")).toBeUndefined();
  expect(read.checkIP("192.0.2.7")).toBe("192.0.2.7");
  expect(read.checkIP("2001:db8::7")).toBe("2001:db8::7");
  expect(read.checkIP("192.0.2.8")).toBeUndefined();
});

test("times are those that were asked for, beyond 2049 too, where the encoding changes", () => {
  const { read } = issue("registry.example", server);
  expect(Date.parse(read.validFrom)).toBe(notBeforeMs);
  expect(Date.parse(read.validTo)).toBe(notAfterMs);
  const farMs = Date.UTC(2061, 5, 1);
  const { certificate } = issueCertificate({
    commonName: "far",
    role: { kind: "authority" },
    issuer: undefined,
    notBeforeMs,
    notAfterMs: farMs,
    random: systemRandom,
  });
  expect(Date.parse(new X509Certificate(certificate).validTo)).toBe(farMs);
});

test("serial numbers are positive, of full length, and differ", () => {
  const serials = Array.from({ length: 8 }, () => issue("a", server).read.serialNumber);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  expect(new Set(serials).size).toBe(serials.length);
});

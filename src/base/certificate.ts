/** Makes X.509 certificates (RFC 5280) with keys on P-256. The door to the ASN.1 libraries. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import type { Random } from "./random.ts";

/** Whoever may sign certificates: a certificate and the key that belongs to it. */
export interface CertificateIssuer {
  /** The certificate in DER. */
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** An authority signs other certificates; a server or a client shows its own to the other. */
  readonly role:
    | { readonly kind: "authority" }
    | { readonly kind: "client" }
    | {
        readonly kind: "server";
        /** The names that a client may call the server by; an IP address needs its own list. */
        readonly dnsNames: readonly string[];
        readonly ipAddresses: readonly string[];
      };
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Undefined for a certificate that signs itself. */
  readonly issuer: CertificateIssuer | undefined;
  readonly random: Random;
}

const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const commonNameType = "2.5.4.3";
/** RFC 5280, 4.1.2.2 allows 20 at most; 64 bits of randomness are asked for. */
const serialNumberBytes = 16;

/** Makes a new key and the certificate that `request` describes. */
export function issueCertificate(request: CertificateRequest): CertificateIssuer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyInfo = AsnConvert.parse(
    publicKey.export({ type: "spki", format: "der" }),
    SubjectPublicKeyInfo,
  );
  const subject = nameOf(request.commonName);
  const issuer =
    request.issuer === undefined
      ? { name: subject, publicKeyInfo }
      : issuerOf(request.issuer.certificate);
  const algorithm = new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 });
  const content = new TBSCertificate({
    version: Version.v3,
    serialNumber: toBuffer(serialNumber(request.random)),
    signature: algorithm,
    issuer: issuer.name,
    validity: new Validity({
      notBefore: new Date(request.notBeforeMs),
      notAfter: new Date(request.notAfterMs),
    }),
    subject,
    subjectPublicKeyInfo: publicKeyInfo,
    extensions: new Extensions([
      ...extensionsOf(request.role),
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(publicKeyInfo))),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({
          keyIdentifier: new KeyIdentifier(keyIdentifier(issuer.publicKeyInfo)),
        }),
      ),
    ]),
  });
  const signer = request.issuer?.privateKey ?? privateKey;
  const certificate = new Certificate({
    tbsCertificate: content,
    signatureAlgorithm: algorithm,
    signatureValue: toBuffer(sign("sha256", Buffer.from(AsnConvert.serialize(content)), signer)),
  });
  return { certificate: new Uint8Array(AsnConvert.serialize(certificate)), privateKey };
}

function issuerOf(certificate: Uint8Array): {
  readonly name: Name;
  readonly publicKeyInfo: SubjectPublicKeyInfo;
} {
  const { tbsCertificate } = AsnConvert.parse(certificate, Certificate);
  return {
    name: tbsCertificate.subject,
    publicKeyInfo: tbsCertificate.subjectPublicKeyInfo,
  };
}

function nameOf(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([
    new RelativeDistinguishedName([new AttributeTypeAndValue({ type: commonNameType, value })]),
  ]);
}

/** Positive and never shortened by its encoding: the first bit is clear, the second is set. */
function serialNumber(random: Random): Uint8Array {
  const bytes = Uint8Array.from(random.bytes(serialNumberBytes));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function extensionsOf(role: CertificateRequest["role"]): readonly Extension[] {
  if (role.kind === "authority") {
    const usage = new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign);
    return [
      criticalExtension(id_ce_basicConstraints, new BasicConstraints({ cA: true })),
      criticalExtension(id_ce_keyUsage, usage),
    ];
  }
  const common = [
    criticalExtension(id_ce_basicConstraints, new BasicConstraints({ cA: false })),
    criticalExtension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature)),
  ];
  if (role.kind === "client") {
    return [...common, extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_clientAuth]))];
  }
  const names = new SubjectAlternativeName([
    ...role.dnsNames.map((name) => new GeneralName({ dNSName: name })),
    ...role.ipAddresses.map((address) => new GeneralName({ iPAddress: address })),
  ]);
  return [
    ...common,
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    extension(id_ce_subjectAltName, names),
  ];
}

function extension(extnID: string, value: object): Extension {
  return new Extension({ extnID, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function criticalExtension(extnID: string, value: object): Extension {
  const made = extension(extnID, value);
  made.critical = true;
  return made;
}

/** RFC 5280, 4.2.1.2, method 1. It names a key and protects nothing, so SHA-1 is good enough. */
function keyIdentifier({ subjectPublicKey }: SubjectPublicKeyInfo): ArrayBuffer {
  return toBuffer(createHash("sha1").update(new Uint8Array(subjectPublicKey)).digest());
}

function toBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** `der` in the form of RFC 7468. */
export function certificatePem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

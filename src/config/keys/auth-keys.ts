import type { Key, Section } from "../key.ts";

export const signingAlgorithms = [
  "EdDSA",
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
] as const;

export const authSections = [
  {
    path: "auth",
    isMap: true,
    isNameable: true,
    prose:
      "Who may use the registry. One of `htpasswd`, `token` and `none`; without it everybody may do everything.",
  },
  { path: "auth.none", prose: "The same as no `auth` at all; takes no keys." },
  {
    path: "auth.htpasswd",
    prose:
      "Names and bcrypt passwords in a file, which is read again when it changes. Whoever logs in may do everything.",
  },
  {
    path: "auth.token",
    prose: "Tokens from an external service, which Berth verifies and never calls.",
  },
  {
    path: "auth.silly",
    prose: "Distribution's example, which lets everybody in who sends any Authorization header.",
    standing: "refused",
    why: "it protects nothing, so Berth does not have it; use auth.htpasswd, or no auth at all.",
    members: ["realm", "service"],
  },
] as const satisfies readonly Section[];

export const authKeys = [
  {
    path: "auth.htpasswd.realm",
    type: "text",
    example: "Registry",
    prose: "The name that a browser's login box shows. Required.",
  },
  {
    path: "auth.htpasswd.path",
    type: "text",
    example: "/etc/berth/htpasswd",
    prose: "The password file. Required. `berth htpasswd add` writes it.",
  },
  {
    path: "auth.htpasswd.cachettl",
    type: "duration",
    default: "60s",
    max: 3_600_000,
    prose:
      "How long a verified password is remembered, so that bcrypt is not paid for at each request; `0s` switches it off. Berth's own.",
  },
  {
    path: "auth.htpasswd.maxverifications",
    type: "int",
    default: "4",
    min: 1,
    max: 1_024,
    prose: "How many passwords are verified at once; more are answered with 429. Berth's own.",
  },
  {
    path: "auth.token.realm",
    type: "text",
    example: "https://auth.example.com/token",
    prose: "The URL of the token service. Required.",
  },
  {
    path: "auth.token.service",
    type: "text",
    example: "registry.example.com",
    prose: "This registry's name; a token's audience (`aud`) must contain it. Required.",
  },
  {
    path: "auth.token.issuer",
    type: "text",
    example: "auth.example.com",
    prose: "Who signs the tokens; a token's `iss` must be this. Required.",
  },
  {
    path: "auth.token.rootcertbundle",
    type: "text",
    example: "/etc/berth/token-roots.pem",
    prose: "A PEM file of certificates whose keys sign tokens. This or `jwks` is required.",
  },
  {
    path: "auth.token.jwks",
    type: "text",
    example: "/etc/berth/token-keys.json",
    prose: "A JSON Web Key Set file of the keys that sign tokens. This or `rootcertbundle`.",
  },
  {
    path: "auth.token.autoredirect",
    type: "bool",
    default: "false",
    prose: "Sends clients for tokens to the host that they asked, instead of `realm`.",
  },
  {
    path: "auth.token.autoredirectpath",
    type: "text",
    default: "/auth/token",
    prose: "The path of the token service on that host.",
  },
  {
    path: "auth.token.signingalgorithms",
    type: "choices",
    values: signingAlgorithms,
    default:
      "[EdDSA, HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512]",
    prose: "The signatures that are accepted. Whatever is named, a key verifies only its own kind.",
  },
] as const satisfies readonly Key[];

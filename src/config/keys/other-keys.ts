import type { Key, Section } from "../key.ts";
import { isRawEmpty, rawAt } from "../raw.ts";
import { isEveryItemDisabled } from "./idle.ts";

export const platformChecks = ["all", "none", "list"] as const;

const noMiddleware =
  "Berth has no middleware; what Distribution compiles in there is not part of it.";
const noUpstream = "it means something only with proxy.remoteurl.";

export const otherSections = [
  { path: "catalog", prose: "The list of repositories." },
  { path: "tags", prose: "The list of tags." },
  {
    path: "health",
    prose: "When a check of a file, a URL or an address fails, the API answers 503.",
  },
  {
    path: "health.storagedriver",
    prose:
      "Whether the storage takes writes. It is checked in any case; when it fails, readiness turns red and pulls go on, where Distribution answers 503 to all.",
  },
  {
    path: "health.file[]",
    goName: "FILECHECKERS",
    prose: "Files whose presence takes the registry out of service.",
  },
  { path: "health.http[]", goName: "HTTPCHECKERS", prose: "URLs that must answer." },
  { path: "health.tcp[]", goName: "TCPCHECKERS", prose: "Addresses that must take connections." },
  { path: "validation", prose: "What is asked of a manifest that is pushed." },
  { path: "validation.manifests", prose: "Rules beyond those of the specification." },
  {
    path: "validation.manifests.urls",
    prose:
      "Layers that a manifest names by URL and that need not be in the registry. Without `allow` and `deny` every URL of http and https is accepted; Distribution then refuses such manifests.",
  },
  {
    path: "validation.manifests.indexes",
    prose: "Whether the manifests that an index names must be there.",
  },
  { path: "policy", prose: "Rules about repositories." },
  { path: "policy.repository", prose: "Rules about repositories." },
  {
    path: "proxy",
    prose: "Pulls from another registry what is not here.",
  },
  { path: "notifications", prose: "Events for other programs." },
  {
    path: "notifications.events",
    goName: "EVENTCONFIG",
    prose: "What an event contains.",
    standing: "accepted",
    why: "it means something only with notifications.endpoints.",
    members: ["includereferences"],
  },
  {
    path: "notifications.endpoints[]",
    prose: "Webhooks.",
    standing: "refused",
    why: "Berth cannot send notifications yet.",
    isIdle: isEveryItemDisabled,
    members: [
      "name",
      "url",
      "disabled",
      "headers",
      "timeout",
      "threshold",
      "backoff",
      "ignoredmediatypes",
      "ignore.mediatypes",
      "ignore.actions",
    ],
  },
  { path: "middleware", isMap: true, prose: "Go plugins that are compiled into Distribution." },
  ...(["registry", "repository", "storage"] as const).map(
    (name) =>
      ({
        path: `middleware.${name}[]`,
        prose: `Around the ${name}.`,
        standing: "refused",
        why: noMiddleware,
        isIdle: isEveryItemDisabled,
        members: ["name", "disabled", "options"],
      }) as const,
  ),
  {
    path: "redis",
    inlined: "OPTIONS",
    prose: "Redis.",
    standing: "accepted",
    why: "Berth needs no Redis: what processes share is in its database.",
    members: [
      "addr",
      "addrs",
      "username",
      "password",
      "db",
      "protocol",
      "clientname",
      "sentinelusername",
      "sentinelpassword",
      "mastername",
      "maxretries",
      "minretrybackoff",
      "maxretrybackoff",
      "dialtimeout",
      "readtimeout",
      "writetimeout",
      "contexttimeoutenabled",
      "poolfifo",
      "poolsize",
      "pooltimeout",
      "minidleconns",
      "maxidleconns",
      "maxactiveconns",
      "connmaxidletime",
      "connmaxlifetime",
      "maxredirects",
      "readonly",
      "routebylatency",
      "routerandomly",
      "disableidentity",
      "identitysuffix",
      "unstableresp3",
      "pool.maxidle",
      "pool.maxactive",
      "pool.idletimeout",
      "tls.enabled",
      "tls.certificate",
      "tls.key",
      "tls.rootcas",
    ],
  },
  {
    path: "reporting",
    prose: "Error reports to Bugsnag and New Relic, which Distribution 3 removed.",
    standing: "accepted",
    why: "Berth reports errors in its log only, as Distribution 3 does.",
    members: [
      "bugsnag.apikey",
      "bugsnag.releasestage",
      "bugsnag.endpoint",
      "newrelic.licensekey",
      "newrelic.name",
      "newrelic.verbose",
    ],
  },
  {
    path: "compatibility",
    prose: "Docker schema 1, which Distribution 3 removed.",
    standing: "accepted",
    why: "only Docker before 1.10 (2016) needs schema 1, and Distribution 3 does not serve it either.",
    members: ["schema1.signingkeyfile", "schema1.enabled"],
  },
] as const satisfies readonly Section[];

const interval = { type: "duration", default: "10s" } as const;
const threshold = { type: "int", default: "1", min: 0 } as const;
const timeout = { type: "duration", default: "5s" } as const;
const intervalProse = "The time between two checks; `0s` means the default.";
const thresholdProse = "How many checks in a row must fail; 0 means 1.";
const timeoutProse = "How long a check may take; `0s` for no limit.";

export const otherKeys = [
  {
    path: "version",
    type: "text",
    example: "0.1",
    prose: "The version of this format. Required, and always `0.1`.",
  },
  {
    path: "catalog.maxentries",
    type: "int",
    default: "1000",
    prose: "The most repositories in one answer; 0 and less mean 1000.",
  },
  {
    path: "tags.maxtags",
    type: "int",
    default: "1000",
    min: 0,
    prose: "The most tags in one answer where the client sends `n`; 0 means 1000.",
  },
  {
    path: "health.storagedriver.enabled",
    type: "bool",
    default: "false",
    prose: "Lets interval and threshold count; the check itself is always on.",
  },
  { path: "health.storagedriver.interval", ...interval, prose: intervalProse },
  { path: "health.storagedriver.threshold", ...threshold, prose: thresholdProse },
  { path: "health.file[].file", type: "text", prose: "The file. Required.", example: "/tmp/down" },
  { path: "health.file[].interval", ...interval, prose: intervalProse },
  { path: "health.file[].threshold", ...threshold, prose: thresholdProse },
  {
    path: "health.http[].uri",
    type: "text",
    prose: "The URL, which is asked with HEAD. Required.",
    example: "http://127.0.0.1:8080/ready",
  },
  {
    path: "health.http[].headers.<name>",
    type: "texts",
    isSecret: true,
    prose: "The values of one request header.",
    exampleName: "Authorization",
    example: "[Bearer secret]",
  },
  {
    path: "health.http[].statuscode",
    type: "int",
    default: "200",
    min: 100,
    max: 599,
    prose: "The status that is expected.",
  },
  { path: "health.http[].timeout", ...timeout, prose: timeoutProse },
  { path: "health.http[].interval", ...interval, prose: intervalProse },
  { path: "health.http[].threshold", ...threshold, prose: thresholdProse },
  {
    path: "health.tcp[].addr",
    type: "text",
    prose: "The address, `host:port`. Required.",
    example: '"127.0.0.1:6379"',
  },
  { path: "health.tcp[].timeout", ...timeout, prose: timeoutProse },
  { path: "health.tcp[].interval", ...interval, prose: intervalProse },
  { path: "health.tcp[].threshold", ...threshold, prose: thresholdProse },
  {
    path: "validation.disabled",
    type: "bool",
    default: "false",
    prose: "Switches the rules below off.",
  },
  {
    path: "validation.enabled",
    type: "bool",
    prose: "The old opposite of `validation.disabled`.",
    standing: "accepted",
    why: "the rules hold anyway unless validation.disabled is set.",
  },
  {
    path: "validation.manifests.urls.allow",
    type: "texts",
    example: "[^https://mirror.example.com/]",
    prose: "Regular expressions; a layer's URL must match one of them.",
  },
  {
    path: "validation.manifests.urls.deny",
    type: "texts",
    example: "[^https://www.example.com/]",
    prose: "Regular expressions; a layer's URL must match none of them.",
  },
  {
    path: "validation.manifests.indexes.platforms",
    type: "choice",
    values: platformChecks,
    default: "all",
    prose:
      "`all`: every manifest that an index names must be there. `none`: none need be. `list`: those of the platforms in `platformlist`.",
  },
  {
    path: "validation.manifests.indexes.platformlist[].architecture",
    type: "text",
    example: "amd64",
    prose: "An architecture, in Go's spelling. Required.",
  },
  {
    path: "validation.manifests.indexes.platformlist[].os",
    type: "text",
    example: "linux",
    prose: "An operating system, in Go's spelling. Required.",
  },
  {
    path: "policy.repository.classes",
    type: "texts",
    prose: "The classes of content that are allowed: `image`, `plugin`.",
    standing: "accepted",
    why: "Berth does not tell classes apart: whoever may push to a repository may push any manifest.",
  },
  {
    path: "proxy.remoteurl",
    type: "text",
    prose: "The upstream registry.",
    standing: "refused",
    why: "Berth cannot be a pull-through cache yet.",
    isIdle: isRawEmpty,
  },
  ...(
    ["username", "password", "ttl", "cachewritetimeout", "exec.command", "exec.lifetime"] as const
  ).map(
    (name) =>
      ({
        path: `proxy.${name}`,
        type: "unchecked",
        prose: "Of the upstream.",
        standing: "accepted",
        why: noUpstream,
        isIdle: (_, root) => !isRawEmpty(rawAt(root, "proxy.remoteurl")),
        isMember: true,
      }) as const satisfies Key,
  ),
] as const satisfies readonly Key[];

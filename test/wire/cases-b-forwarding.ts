/** B. Location, and the proxies in front. */
import { beginUpload, get, type Step, type WireCase } from "./wire-case.ts";

const absolute = { HTTP_RELATIVEURLS: "false" };

/** An upload begun with these headers, and the origin that its Location has. */
function begun(headers: Readonly<Record<string, string>>, origin: string): Step {
  return {
    ...beginUpload("foo"),
    headers: { Host: "direct.example", ...headers },
    answers: { location: new RegExp(`^${RegExp.escape(origin)}/v2/foo/blobs/uploads/`) },
  };
}

const direct = "http://direct.example";

export const forwardingCases: readonly WireCase[] = [
  {
    number: 15,
    source: "D",
    name: "without a proxy the Host header counts",
    settings: absolute,
    steps: [begun({}, direct), begun({ Host: "direct.example:5000" }, `${direct}:5000`)],
  },
  {
    number: 16,
    source: "D",
    name: "X-Forwarded-Proto sets the scheme",
    settings: absolute,
    steps: [
      begun({ "X-Forwarded-Proto": "https" }, "https://direct.example"),
      begun({ "X-Forwarded-Proto": "https, http" }, "https://direct.example"),
      begun({ "X-Forwarded-Proto": "javascript" }, direct),
    ],
  },
  {
    number: 17,
    source: "D",
    name: "the first of several X-Forwarded-Host counts",
    settings: absolute,
    steps: [
      begun({ "X-Forwarded-Host": "first.example, second.example" }, "http://first.example"),
      begun({ "X-Forwarded-Host": "first.example:8443" }, "http://first.example:8443"),
    ],
  },
  {
    number: 18,
    source: "D",
    name: "the configured host beats every header",
    settings: { ...absolute, HTTP_HOST: "https://registry.example" },
    steps: [
      begun(
        { "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", Forwarded: "host=evil" },
        "https://registry.example",
      ),
    ],
  },
  {
    number: 19,
    source: "D",
    name: "X-Forwarded-Port changes nothing, whatever it holds",
    settings: absolute,
    steps: ["443", "abc", "-1", "99999999", ""].map((port) =>
      begun({ "X-Forwarded-Port": port, "X-Forwarded-Proto": "https" }, "https://direct.example"),
    ),
  },
  {
    number: 20,
    source: "D",
    name: "Forwarded (RFC 7239) sets scheme and host",
    settings: absolute,
    steps: [
      begun({ Forwarded: 'proto=https;host="1.2.3.4:80"' }, "https://1.2.3.4:80"),
      begun({ Forwarded: 'Proto=https; Host="[2001:db8::1]:443"' }, "https://[2001:db8::1]:443"),
      begun({ Forwarded: "host=a.example, host=b.example" }, "http://a.example"),
    ],
  },
  {
    number: 21,
    source: "D",
    name: "a malformed Forwarded is passed over",
    settings: absolute,
    steps: ['host="value', "=value", "a=b;;", 'host="a b"', "host", ";;;", "host=a/b", "\t"].map(
      (forwarded) => begun({ Forwarded: forwarded }, direct),
    ),
  },
  {
    number: 22,
    source: "ours",
    name: "only a trusted proxy may say where the client is, and no Host holds what a name cannot",
    settings: { ...absolute, HTTP_TRUSTEDPROXIES: "[10.0.0.0/8]" },
    steps: [
      begun({ "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https" }, direct),
      begun({ Forwarded: "proto=https;host=evil.example" }, direct),
      ...["a b", 'a"b', "a@b", "a/b", "a\\b", "a?b", "<a>", "a:b", "a:123456", "a,b", ""].map(
        (host) => get("/v2/", 400, { headers: { Host: host } }),
      ),
    ],
  },
];

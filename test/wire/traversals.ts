/** Some six hundred spellings of paths that lead out of a folder, as they go into a URL. */
const dots = [
  "..",
  "%2e%2e",
  "%2E.",
  ".%2e",
  "%252e%252e",
  "..%00",
  "%c0%ae%c0%ae",
  "...",
  "..;",
  ".%00.",
];
const slashes = ["/", "%2f", "%2F", "\\", "%5c", "%252f", "%c0%af", "//", "%ef%bc%8f", "/./"];
const goals = ["canary", "outside%2fcanary", "etc%2fpasswd", "_uploads"];

const climbs = dots.flatMap((dot) =>
  slashes.flatMap((slash) =>
    [1, 4, 12].flatMap((depth) => {
      const goal = goals[(dot.length + slash.length + depth) % goals.length] ?? "canary";
      return [
        `${dot}${slash}`.repeat(depth) + goal,
        `foo${slash}${`${dot}${slash}`.repeat(depth)}${goal}`,
      ];
    }),
  ),
);

export const traversals: readonly string[] = [
  ...climbs,
  "%2Fetc%2Fpasswd",
  "%2F%2F..%2F..%2Fetc%2Fpasswd",
  "file:%2F%2F%2Fetc%2Fpasswd",
  "C:%5Cwindows%5Cwin.ini",
  "%5C%5Cserver%5Cshare",
  "~root",
  "%00",
  "foo%00.png",
  "%E0%A4%A",
  "%",
  "%zz",
  "%u002e%u002e",
  "_manifests",
  "_layers%2fsha256",
  "-rf",
  "con",
  ".",
  "..",
  "%2e",
  "",
];

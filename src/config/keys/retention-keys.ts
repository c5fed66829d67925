import type { Key, Section } from "../key.ts";

const globs =
  "`*` is any text without `/`, `**` any text, `?` one character, `[0-9]` one of these, `{a,b}` one of these texts";

export const retentionSections = [
  {
    path: "retention",
    prose:
      "Deletes tags and untagged manifests by rule. Without a rule nothing is ever deleted. `berth retention preview` says what the rules would do.",
  },
  {
    path: "retention.rules[]",
    prose:
      "The first rule that names a repository decides alone; a repository that no rule names keeps everything.",
  },
  {
    path: "retention.rules[].keep",
    prose: "A tag that fulfils one of these stays; the others go. Without any of them no tag goes.",
  },
  {
    path: "immutabletags[]",
    prose:
      "Tags that, once set, are neither moved to another digest nor deleted, by clients or by retention.",
  },
] as const satisfies readonly Section[];

export const retentionKeys = [
  {
    path: "retention.interval",
    type: "duration",
    default: "24h",
    min: 60_000,
    prose: "The time between two runs; the first is half an hour after the start at the latest.",
  },
  {
    path: "retention.deletionspersecond",
    type: "int",
    default: "50",
    min: 1,
    max: 10_000,
    prose: "The most tags and manifests that a run deletes in a second, so that clients go first.",
  },
  {
    path: "retention.rules[].repositories",
    type: "texts",
    example: '["team/*"]',
    prose: `The repositories that the rule is for, as patterns: ${globs}. Required.`,
  },
  {
    path: "retention.rules[].keep.lastpushed",
    type: "int",
    default: "0",
    min: 0,
    prose: "Keeps so many tags, those that were pushed last; 0 for no such condition.",
  },
  {
    path: "retention.rules[].keep.tags",
    type: "texts",
    example: "[latest, main]",
    prose: "Keeps the tags that match one of these patterns.",
  },
  {
    path: "retention.rules[].keep.lastpersemverminor",
    type: "int",
    default: "0",
    min: 0,
    prose:
      "Keeps the newest so many versions of every minor version (`v1.2.9`, `v1.2.8`, … of 1.2), suffixes (`-rc.1`, `-alpine`) counted apart; says nothing of tags that are no full version; 0 for no such condition.",
  },
  {
    path: "retention.rules[].keep.pulledwithin",
    type: "duration",
    default: "0s",
    min: 0,
    prose:
      "Keeps what was pulled within this time, by tag or by digest; a tag that was never pulled counts from its push; `0s` for no such condition.",
  },
  {
    path: "retention.rules[].protect",
    type: "texts",
    example: '["v*"]',
    prose: "Tags that match one of these patterns stay, whatever else the rule says.",
  },
  {
    path: "retention.rules[].untaggedafter",
    type: "duration",
    default: "0s",
    min: 0,
    prose:
      "Deletes manifests that no tag, no index and no subject has led to for this time, and that nobody pulled in it; `1h` at least; `0s` keeps them.",
  },
  {
    path: "immutabletags[].repositories",
    type: "texts",
    example: '["**"]',
    prose: `The repositories, as patterns: ${globs}. Required.`,
  },
  {
    path: "immutabletags[].tags",
    type: "texts",
    example: '["v*"]',
    prose: "The tags, as patterns. Required.",
  },
  {
    path: "immutabletags[].except",
    type: "texts",
    example: '["*-snapshot"]',
    prose: "Tags of these patterns may move all the same.",
  },
] as const satisfies readonly Key[];

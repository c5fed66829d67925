import type { Key, Section } from "../key.ts";
import { rawAt } from "../raw.ts";
import { isEveryItemDisabled } from "./idle.ts";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export const logFormatters = ["text", "json", "logstash"] as const;
export const accessLogFormats = ["combined", "json"] as const;

export const logSections = [
  { path: "log", prose: "What is logged, and how." },
  { path: "log.accesslog", prose: "One line for each request, on standard output." },
  {
    path: "log.hooks[]",
    prose: "Mails about log lines.",
    standing: "refused",
    why: "Berth sends no mail; let whatever collects the log raise the alarm.",
    isIdle: isEveryItemDisabled,
    members: ["type", "disabled", "levels"],
  },
  {
    path: "log.hooks[].options",
    goName: "MAILOPTIONS",
    prose: "Of a mail hook.",
    members: ["smtp.addr", "smtp.username", "smtp.password", "smtp.insecure", "from", "to"],
  },
] as const satisfies readonly Section[];

export const logKeys = [
  {
    path: "log.level",
    type: "choice",
    values: logLevels,
    default: "info",
    prose: "The least severity that is logged.",
  },
  {
    path: "log.formatter",
    type: "choice",
    values: logFormatters,
    default: "text",
    prose: "The form of a log line: for people (`text`) or for programs (`json`, `logstash`).",
  },
  {
    path: "log.fields.<name>",
    type: "text",
    exampleName: "service",
    example: "registry",
    prose: "A field that every log line carries, with its value.",
  },
  {
    path: "log.reportcaller",
    type: "bool",
    prose: "Adds the place in the source to each log line.",
    standing: "accepted",
    why: "a place in Berth's source tells nothing that the line does not; lines carry what they are about.",
  },
  {
    path: "log.accesslog.disabled",
    type: "bool",
    default: "false",
    prose: "Switches the access log off.",
  },
  {
    path: "log.accesslog.format",
    type: "choice",
    values: accessLogFormats,
    default: "combined",
    prose: "The form of an access line: Apache's combined form, or one JSON object. Berth's own.",
  },
  {
    path: "loglevel",
    type: "choice",
    values: logLevels,
    prose: "The old name of `log.level`, which wins where both are set.",
    standing: "accepted",
    why: "it is the old name of log.level and is read as such where log.level is not set.",
    isIdle: (_, root) => rawAt(root, "log.level") === undefined,
  },
] as const satisfies readonly Key[];

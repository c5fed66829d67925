import type { Finding, FindingCode } from "../../gc/findings.ts";
import { fsck } from "../../gc/fsck.ts";
import { type FsckLooked, newLooked } from "../../gc/fsck-repository.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { whenAdopted, withProgress } from "./progress.ts";
import { countText, sizeText } from "./text.ts";

/** Of notices of one kind so many are printed; a volume can have a hundred thousand. */
const noticesPrinted = 10;

/** `berth fsck [--repair] [--deep]`: 1 when something is broken afterwards. */
export async function fsckCommand(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  if (args.flag("repair")) refuseWhenReadOnly(parts);
  await whenAdopted(parts);
  const looked = newLooked();
  return withProgress(check(parts, args, looked), {
    print: parts.print,
    text: () => lookedText(looked),
  });
}

async function check(
  { opened, print, signal }: CommandParts,
  args: CommandArguments,
  looked: FsckLooked,
): Promise<ExitCode> {
  const repairs = args.flag("repair");
  const counts = { error: 0, notice: 0, mended: 0, mendable: 0 };
  const notices = new Map<FindingCode, number>();
  const options = { repairs, isDeep: args.flag("deep"), signal, looked };
  const { scrub, quarantine } = opened;
  for await (const finding of fsck({ ...opened.context, scrub, quarantine }, options)) {
    counts[finding.outcome] += 1;
    if (finding.canMend && finding.outcome === "error") counts.mendable += 1;
    if (finding.outcome !== "notice") {
      print(lineOf(finding));
      continue;
    }
    const count = (notices.get(finding.code) ?? 0) + 1;
    notices.set(finding.code, count);
    if (count <= noticesPrinted) print(lineOf(finding));
  }
  for (const [code, count] of notices) {
    if (count > noticesPrinted) print(`notice  ${code}: ${count - noticesPrinted} more`);
  }
  const { error, notice, mended, mendable } = counts;
  const repaired = repairs ? `, ${mended} mended` : "";
  const verdict = error === 0 ? "clean" : countText(error, "error");
  print(`${verdict}${repaired}, ${countText(notice, "notice")}`);
  if (mendable > 0 && !repairs) print(`--repair mends ${mendable} of them without loss`);
  return error === 0 ? 0 : 1;
}

function lookedText({ repositories, links, blobs, hashedBytes }: FsckLooked): string {
  const counts = [countText(repositories, "repository"), countText(links, "link")];
  if (blobs > 0) counts.push(countText(blobs, "blob"));
  const hashed = hashedBytes > 0 ? `, ${sizeText(hashedBytes)} hashed` : "";
  return `${counts.join(", ")} looked at so far${hashed}`;
}

function lineOf({ code, repository, subject, text, outcome }: Finding): string {
  const where = repository === undefined || repository === subject ? "" : `${repository} `;
  return `${outcome.padEnd(7)} ${code}: ${where}${subject}: ${text}`;
}

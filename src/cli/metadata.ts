import { countText } from "../server/commands/text.ts";
import { countMetadataDifferences } from "../server/verify-metadata.ts";
import { loadConfigFile } from "./config-file.ts";
import { printLine } from "./print-line.ts";

/** `berth metadata verify [config.yml]`: 1 when there is a difference. */
export async function runMetadataVerify(path: string | undefined): Promise<number> {
  const count = await countMetadataDifferences(loadConfigFile(path).loaded.config, printLine);
  printLine(count === 0 ? "the metadata agrees with the storage" : countText(count, "difference"));
  return count === 0 ? 0 : 1;
}

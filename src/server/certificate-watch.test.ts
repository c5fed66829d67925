import { expect, test } from "bun:test";
import { recordingLogger } from "../base/test-support.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { certificates, testFolder, tlsConfig } from "./test-support.ts";

test("a certificate that could not be put to use is tried again, and its error is said once", () => {
  using folder = testFolder();
  const tls = tlsConfig(folder, certificates.server("one"));
  const log = recordingLogger();
  const watch = new CertificateWatch(tls, log);
  let uses = 0;
  const check = (): void =>
    watch.check(() => {
      uses += 1;
      if (uses < 3) throw new Error("EMFILE: too many open files");
    });
  check();
  expect(uses).toBe(0);
  tlsConfig(folder, certificates.server("two"));
  for (let look = 0; look < 6; look += 1) check();
  expect(uses).toBe(3);
  expect(log.lines.map(({ level }) => level)).toEqual(["error", "info"]);
});

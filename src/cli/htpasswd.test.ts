import { expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyBcrypt } from "../auth/bcrypt.ts";
import { parseHtpasswd } from "../auth/htpasswd-file.ts";
import { systemRandom } from "../base/random.ts";
import { addUser, removeUser, verifyUser } from "./htpasswd.ts";
import type { Streams } from "./password-input.ts";

const random = systemRandom;
const bob = "bob:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

interface Recorded extends Streams {
  readonly out: string[];
  readonly err: string[];
  readonly rawModes: boolean[];
  readonly isReleased: () => boolean;
}

function piped(...chunks: readonly (string | Uint8Array)[]): Recorded {
  return streams(chunks, false);
}

function typed(...chunks: readonly (string | Uint8Array)[]): Recorded {
  return streams(chunks, true);
}

function streams(chunks: readonly (string | Uint8Array)[], isTTY: boolean): Recorded {
  const out: string[] = [];
  const err: string[] = [];
  const rawModes: boolean[] = [];
  let isReleased = false;
  return {
    isReleased: () => isReleased,
    out,
    err,
    rawModes,
    stdin: {
      isTTY,
      setRawMode: (isRaw) => rawModes.push(isRaw),
      async *[Symbol.asyncIterator]() {
        try {
          yield* chunks;
        } finally {
          isReleased = true;
        }
      },
    },
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
  };
}

function temporaryFile(
  text?: string,
): Disposable & { readonly folder: string; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), "berth-htpasswd-"));
  const path = join(folder, "htpasswd");
  if (text !== undefined) writeFileSync(path, text);
  return {
    folder,
    path,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function isPasswordOf(user: string, password: string, path: string): Promise<boolean> {
  const hash = parseHtpasswd(readFileSync(path, "utf8")).users.get(user);
  return hash !== undefined && (await verifyBcrypt(password, hash));
}

test("the first user makes the file, which is its owner's alone", async () => {
  using file = temporaryFile();
  const io = piped("pass word\n");
  expect(await addUser({ path: file.path, user: "alice", random }, io)).toBe(0);
  expect(await isPasswordOf("alice", "pass word", file.path)).toBe(true);
  expect(readFileSync(file.path, "utf8")).toMatch(/^alice:\$2y\$10\$.{53}\n$/);
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
  expect(readdirSync(file.folder)).toEqual(["htpasswd"]);
  expect(io.out.join("")).toContain("added alice");
  // Who pipes a password in is not asked for it.
  expect(io.err).toEqual([]);
});

test("other lines, comments and their order are kept when a password changes", async () => {
  const other = "carol:{SHA}old";
  using file = temporaryFile(`# staff\n\nalice:$apr1$x\n${other}\nalice:again\n# end\n${bob}`);
  expect(await addUser({ path: file.path, user: "alice", cost: 4, random }, piped("new"))).toBe(0);
  const lines = readFileSync(file.path, "utf8").split("\n");
  expect(lines[2]).toMatch(/^alice:\$2y\$04\$/);
  lines[2] = "alice";
  expect(lines).toEqual(["# staff", "", "alice", other, "# end", bob, ""]);
  expect(await isPasswordOf("alice", "new", file.path)).toBe(true);
});

test("a file that exists keeps its mode, and a link to it stays a link", async () => {
  using file = temporaryFile(`${bob}\n`);
  chmodSync(file.path, 0o640);
  const link = join(file.folder, "link");
  symlinkSync(file.path, link);
  expect(await addUser({ path: link, user: "alice", cost: 4, random }, piped("new\n"))).toBe(0);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(statSync(file.path).mode & 0o777).toBe(0o640);
  expect(parseHtpasswd(readFileSync(file.path, "utf8")).users.size).toBe(2);
});

test.each([
  ["with another line behind", ["secret\nmore\n"]],
  ["with a Windows line end", ["secret\r\n"]],
  ["without line end", ["secret"]],
  ["in pieces", ["sec", "ret\n"]],
])("a piped password %s is the first line", async (_name, chunks) => {
  using file = temporaryFile();
  expect(await addUser({ path: file.path, user: "a", cost: 4, random }, piped(...chunks))).toBe(0);
  expect(await isPasswordOf("a", "secret", file.path)).toBe(true);
});

test("a character that is cut between two chunks is put together", async () => {
  using file = temporaryFile();
  const bytes = Buffer.from("ключ\n");
  const io = piped(bytes.subarray(0, 3), bytes.subarray(3));
  expect(await addUser({ path: file.path, user: "a", cost: 4, random }, io)).toBe(0);
  expect(await isPasswordOf("a", "ключ", file.path)).toBe(true);
});

test("a terminal is asked twice and shows nothing; a typing error can be taken back", async () => {
  using file = temporaryFile();
  const io = typed("secrex\u007ft\r", "secret\r");
  expect(await addUser({ path: file.path, user: "alice", cost: 4, random }, io)).toBe(0);
  expect(await isPasswordOf("alice", "secret", file.path)).toBe(true);
  expect(io.err.join("")).toContain("New password of alice: ");
  expect(io.rawModes).toEqual([true, false, true, false]);
  // Or the program would not end.
  expect(io.isReleased()).toBe(true);
  expect([...io.out, ...io.err].join("")).not.toContain("secret");
});

test.each([
  ["two that differ", typed("one\r", "two\r")],
  ["Ctrl-C", typed("one\u0003")],
  ["an empty line", piped("\n")],
  ["nothing", piped()],
  ["73 bytes", piped("x".repeat(73))],
  ["a tab", piped("a\tb\n")],
  ["bytes that are no UTF-8", piped(Uint8Array.of(0x61, 0xff, 0x0a))],
  ["half of a character", piped(Uint8Array.of(0x61, 0xc3))],
  ["input without end", piped(...Array.from({ length: 100 }, () => "x".repeat(100)))],
])("%s for a password: nothing is written", async (_name, io) => {
  using file = temporaryFile();
  expect(await addUser({ path: file.path, user: "alice", cost: 4, random }, io)).toBe(2);
  expect(readdirSync(file.folder)).toEqual([]);
  expect(io.err.join("")).not.toBe("");
});

test.each(["", "a:b", "#a", " a", "a ", "a\nb", "a\0"])("%p is no user name", async (user) => {
  using file = temporaryFile();
  expect(await addUser({ path: file.path, user, random }, piped("secret"))).toBe(2);
  expect(readdirSync(file.folder)).toEqual([]);
});

test.each([3, 18, 4.5, Number.NaN])("a cost of %p is refused", async (cost) => {
  using file = temporaryFile();
  expect(await addUser({ path: file.path, user: "a", cost, random }, piped("secret"))).toBe(2);
});

test("a user is removed, with all of the lines, and only once", async () => {
  using file = temporaryFile(`alice:x\n# alice:x\n${bob}\nalice:y\n`);
  const target = { path: file.path, user: "alice", random };
  expect(await removeUser(target, piped())).toBe(0);
  expect(readFileSync(file.path, "utf8")).toBe(`# alice:x\n${bob}\n`);
  expect(await removeUser(target, piped())).toBe(1);
  expect(await removeUser({ ...target, path: join(file.folder, "none") }, piped())).toBe(2);
});

test("a file with bytes that are no UTF-8 is not rewritten: they would be other bytes then", async () => {
  using file = temporaryFile();
  const bytes = Buffer.from(`jos\u00e9:x\n${bob}\n`, "latin1");
  writeFileSync(file.path, bytes);
  const io = piped("secret\n");
  expect(await addUser({ path: file.path, user: "alice", cost: 4, random }, io)).toBe(2);
  expect(io.err.join("")).toContain("line 1");
  expect(await removeUser({ path: file.path, user: "bob", random }, piped())).toBe(2);
  expect(readFileSync(file.path).equals(bytes)).toBe(true);
});

test("verify answers as the registry would, and names the lines that it does not use", async () => {
  using file = temporaryFile(`${bob}\ncarol:plain\n`);
  const io = piped("secret\n");
  expect(await verifyUser({ path: file.path, user: "bob" }, io)).toBe(0);
  expect(io.err.join("")).toContain(`${file.path}:2:`);
  expect(await verifyUser({ path: file.path, user: "bob" }, piped("Secret\n"))).toBe(1);
  expect(await verifyUser({ path: file.path, user: "carol" }, piped("plain\n"))).toBe(1);
  expect(await verifyUser({ path: file.path, user: "dave" }, piped("secret\n"))).toBe(1);
  expect(await verifyUser({ path: `${file.path}x`, user: "bob" }, piped("secret\n"))).toBe(2);
});

test("a folder that cannot be written is an error that names the file", async () => {
  using file = temporaryFile();
  const path = join(file.folder, "missing", "htpasswd");
  const failure = await addUser({ path, user: "a", cost: 4, random }, piped("secret")).catch(
    (error: unknown) => error,
  );
  expect(String(failure)).toContain(path);
});

/**
 * `berth htpasswd add|rm|verify FILE USER`: users of a htpasswd file, without another program.
 *
 * A password comes from a terminal or a pipe and never from the command line, where everybody
 * on the machine could read it. Lines of other users, comments and order are kept as they are.
 */
import { chmod, chown, realpath, stat } from "node:fs/promises";
import { hasControlCharacter } from "../auth/basic.ts";
import { hashBcrypt, isUsablePassword, passwordBytesMax, verifyBcrypt } from "../auth/bcrypt.ts";
import { costMax, costMin, defaultCost, parseHtpasswd, userOfLine } from "../auth/htpasswd-file.ts";
import { codeOf } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { PasswordReader, type Streams } from "./password-input.ts";
import { readText, replaceText } from "./text-file.ts";

export interface HtpasswdTarget {
  readonly path: string;
  readonly user: string;
}

/** What a command ended with, as its exit code: 0 done, 1 the answer is no, 2 it cannot be done. */
export type ExitCode = 0 | 1 | 2;

const newFileMode = 0o600;

/** Adds `user`, or changes the password of the one that is there. Creates the file if needed. */
export async function addUser(
  options: HtpasswdTarget & { readonly cost?: number; readonly random: Random },
  streams: Streams,
): Promise<ExitCode> {
  const { path, user, random, cost = defaultCost } = options;
  if (!Number.isInteger(cost) || cost < costMin || cost > costMax) {
    return refuse(streams, `the cost is a whole number from ${costMin} to ${costMax}`);
  }
  if (!isUserName(user)) {
    return refuse(
      streams,
      "a user name has no colon, # or space at its start, or control character",
    );
  }
  const password = await readNewPassword(user, streams);
  if (typeof password !== "string") return refuse(streams, password.why);

  const entry = `${user}:${await hashBcrypt(password, cost)}`;
  // Not before: somebody else may have changed the file while the password was typed.
  const before = await readText(path);
  const why = whyUnreadable(before ?? "", path);
  if (why !== undefined) return refuse(streams, why);
  const lines = linesOf(before ?? "");
  const at = lines.findIndex((line) => userOfLine(line) === user);
  // A later line of the same user would count instead of the new one.
  const after = lines.filter((line, index) => index === at || userOfLine(line) !== user);
  if (at === -1) after.push(entry);
  else after[at] = entry;
  await replaceFile({ path, random, text: textOf(after) });
  streams.stdout.write(`${at === -1 ? "added" : "changed"} ${user} in ${path}\n`);
  return 0;
}

/** Removes `user`. Exit code 1 when there is none. */
export async function removeUser(
  { path, user, random }: HtpasswdTarget & { readonly random: Random },
  streams: Streams,
): Promise<ExitCode> {
  const text = await readText(path);
  if (text === undefined) return refuse(streams, `there is no file ${path}`);
  const why = whyUnreadable(text, path);
  if (why !== undefined) return refuse(streams, why);
  const before = linesOf(text);
  const after = before.filter((line) => userOfLine(line) !== user);
  if (after.length === before.length) {
    streams.stderr.write(`${user} is not in ${path}\n`);
    return 1;
  }
  await replaceFile({ path, random, text: textOf(after) });
  streams.stdout.write(`removed ${user} from ${path}\n`);
  return 0;
}

/** Whether the registry would let `user` in. Exit code 1 when it would not. */
export async function verifyUser(
  { path, user }: HtpasswdTarget,
  streams: Streams,
): Promise<ExitCode> {
  const text = await readText(path);
  if (text === undefined) return refuse(streams, `there is no file ${path}`);
  const { users, complaints } = parseHtpasswd(text);
  for (const { line, why } of complaints) {
    streams.stderr.write(`${path}:${line}: this line ${why}\n`);
  }
  const hash = users.get(user);
  if (hash === undefined) {
    streams.stderr.write(`${user} is not in ${path}, or not with a bcrypt hash\n`);
    return 1;
  }
  const reader = new PasswordReader(streams);
  try {
    const password = await reader.read(`Password of ${user}: `);
    if (password === undefined) return refuse(streams, "nothing was verified");
    const isRight = isUsablePassword(password) && (await verifyBcrypt(password, hash));
    streams.stdout.write(isRight ? "the password is right\n" : "the password is wrong\n");
    return isRight ? 0 : 1;
  } finally {
    await reader.close();
  }
}

async function readNewPassword(
  user: string,
  streams: Streams,
): Promise<string | { readonly why: string }> {
  const reader = new PasswordReader(streams);
  try {
    const password = await reader.read(`New password of ${user}: `);
    if (password === undefined) return { why: "nothing was changed" };
    if (password === "") return { why: "the password is empty; it is read from the first line" };
    if (password.includes("\ufffd")) {
      return { why: "a password is text in UTF-8, and this is not" };
    }
    if (hasControlCharacter(password)) {
      return { why: "a password has no control characters: Basic authentication refuses them" };
    }
    if (!isUsablePassword(password)) {
      return { why: `a password has ${passwordBytesMax} bytes at most: bcrypt reads no more` };
    }
    if (reader.isTerminal && (await reader.read("The same again: ")) !== password) {
      return { why: "the two are not the same; nothing was changed" };
    }
    return password;
  } finally {
    await reader.close();
  }
}

/** Bytes that are no UTF-8 became U+FFFD when they were read, and would stay so in the file. */
function whyUnreadable(text: string, path: string): string | undefined {
  const index = linesOf(text).findIndex((line) => line.includes("\ufffd"));
  if (index === -1) return undefined;
  return `${path}, line ${index + 1}, is no text in UTF-8; change that first. Nothing was changed`;
}

function refuse({ stderr }: Streams, why: string): ExitCode {
  stderr.write(`${why}\n`);
  return 2;
}

function isUserName(user: string): boolean {
  return (
    user !== "" &&
    user === user.trim() &&
    !user.startsWith("#") &&
    !user.includes(":") &&
    !hasControlCharacter(user)
  );
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * A new file is its owner's alone; one that exists keeps its owner and mode, because the registry
 * may well run as somebody else. A symbolic link stays one.
 */
async function replaceFile({
  path,
  text,
  random,
}: {
  readonly path: string;
  readonly text: string;
  readonly random: Random;
}): Promise<void> {
  try {
    const target = await resolved(path);
    const before = await statOf(target);
    await replaceText(target, { text, mode: newFileMode, random }, async (beside) => {
      if (before !== undefined) await takeAfter(beside, before);
    });
  } catch (cause) {
    throw new Error(`cannot write ${path}`, { cause });
  }
}

interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

async function takeAfter(path: string, before: Ownership): Promise<void> {
  const { uid, gid } = await stat(path);
  // Owner first: a change of owner may drop bits of the mode. And only when there is one: who
  // is not root may not even repeat what is there already.
  if (uid !== before.uid || gid !== before.gid) await chown(path, before.uid, before.gid);
  await chmod(path, before.mode & 0o777);
}

async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return path;
    throw cause;
  }
}

async function statOf(path: string): Promise<Ownership | undefined> {
  try {
    return await stat(path);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

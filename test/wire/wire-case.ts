/**
 * The language of the request tables: a case is an object literal, this is what it may say, and
 * how it is played. A wire case is added by adding a literal to one of the tables.
 */
import { expect } from "bun:test";
import type { Authenticator } from "../../src/auth/authenticator.ts";
import { type ErrorCode, problems } from "../../src/oci/problems.ts";
import { headerOf, type RawAnswer } from "../support/raw-http.ts";
import { type WireRig, type WireRigOptions, withWireRig } from "../support/wire-rig.ts";
import type { Content } from "./content.ts";

/** Where a case comes from: whose tests it was drawn from, or our own. */
type Source = "D" | "T" | "Z" | "G" | "C" | "L" | "O" | "ours";

/** One of the numbered cases, with the requests that play it, in order. */
export interface WireCase {
  readonly number: number;
  readonly source: Source;
  readonly name: string;
  /** Requests and what has to come back; or the function that makes them, where they are many. */
  readonly steps: readonly Step[] | (() => readonly Step[]);
  /** Settings that differ from the defaults, by the rest of their REGISTRY_ name. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly authenticator?: Authenticator;
}

/** A request, and what has to come back. */
export interface Step {
  readonly method: string;
  /** `<location>` stands for the Location of the latest answer that had one. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Sends the body in chunks of so many bytes, without a Content-Length. */
  readonly chunkBytes?: number;

  readonly status: number | readonly number[];
  /** Headers of the answer; `null` for one that must not be there. */
  readonly answers?: Readonly<Record<string, string | RegExp | null>>;
  /** The code of every error in the body. */
  readonly code?: ErrorCode;
  /** How many errors the body has, where it has more than one. */
  readonly errors?: number;
  /** The body, exactly. */
  readonly text?: string | Uint8Array;
  /** The body, read as JSON. */
  readonly json?: unknown;
  /** Looks at the body, where a comparison does not say enough. */
  readonly looks?: (body: string) => void;
}

/** Plays a case on a registry of its own. */
export async function play(
  wireCase: Omit<WireCase, "number" | "source" | "name">,
  where: Pick<WireRigOptions, "driver" | "isAdopted">,
): Promise<void> {
  const { settings, authenticator, steps } = wireCase;
  const options = {
    ...where,
    ...(settings !== undefined && { settings }),
    ...(authenticator !== undefined && { authenticator }),
  };
  await withWireRig(options, async (rig) => {
    let location = "";
    for (const step of typeof steps === "function" ? steps() : steps) {
      const answer = await sendStep(rig, step, location);
      try {
        checkStep(step, answer);
      } catch (cause) {
        const asked = `${step.method} ${step.path.slice(0, 200)}`;
        const got = answer.wholeText.slice(0, 1500);
        throw new Error(`${asked}\n${String(cause)}\nanswered:\n${got}`, { cause });
      }
      location = headerOf(answer, "location") ?? location;
    }
    expect(rig.errors).toEqual([]);
  });
}

async function sendStep(rig: WireRig, step: Step, location: string): Promise<RawAnswer> {
  const { method, headers, body, chunkBytes } = step;
  const hasLength = body !== undefined || !["POST", "PUT", "PATCH"].includes(method);
  return rig.send({
    method,
    target: step.path.replace("<location>", location),
    // What every client sends with a POST that has no body.
    headers: hasLength ? { ...headers } : { "Content-Length": "0", ...headers },
    ...(body !== undefined && { body }),
    ...(chunkBytes !== undefined && { chunkBytes }),
  });
}

function checkStep(step: Step, answer: RawAnswer): void {
  const statuses: readonly number[] = typeof step.status === "number" ? [step.status] : step.status;
  expect(statuses).toContain(answer.status);
  checkEveryAnswer(answer, step);
  for (const [name, wanted] of Object.entries(step.answers ?? {})) {
    const value = headerOf(answer, name);
    if (wanted instanceof RegExp) expect(value ?? "").toMatch(wanted);
    else expect(`${name}: ${value}`).toBe(`${name}: ${wanted ?? undefined}`);
  }
  if (step.text !== undefined) expect(answer.body.equals(Buffer.from(step.text))).toBe(true);
  if (step.json !== undefined) expect(JSON.parse(answer.body.toString())).toEqual(step.json);
  step.looks?.(answer.body.toString());
  if (step.code === undefined) return;
  if (step.method === "HEAD") return;
  const { errors } = JSON.parse(answer.body.toString());
  expect(errors.map((error: { code: string }) => error.code)).toEqual(
    Array.from({ length: step.errors ?? 1 }, () => step.code),
  );
}

const knownCodes: ReadonlySet<string> = new Set(Object.values(problems).map(({ code }) => code));

/** What holds for every answer of the API, whatever was asked. */
function checkEveryAnswer(answer: RawAnswer, { method }: { readonly method: string }): void {
  expect(answer.status).toBeLessThan(500);
  expect(headerOf(answer, "docker-distribution-api-version")).toBe("registry/2.0");
  expect(headerOf(answer, "x-content-type-options")).toBe("nosniff");
  // One media type and nothing after it: some clients compare it as text.
  const contentType = headerOf(answer, "content-type") ?? "";
  if (!contentType.startsWith("multipart/")) expect(contentType).not.toMatch(/[;,]/);
  if (answer.status === 204 || answer.status === 304 || method === "HEAD") {
    expect(answer.body.byteLength).toBe(0);
  } else {
    expect(headerOf(answer, "content-length")).toBe(String(answer.body.byteLength));
  }
  if (answer.status >= 400 && method !== "HEAD") {
    expect(contentType).toBe("application/json");
    const { errors } = JSON.parse(answer.body.toString());
    expect(errors.length).toBeGreaterThan(0);
    for (const { code, message } of errors) {
      expect(knownCodes).toContain(code);
      expect(typeof message).toBe("string");
    }
  }
}

/** Pushes a blob as docker's daemon does it with a small one: POST, then one PUT. */
export function pushBlob(name: string, { bytes, digest }: Content): readonly Step[] {
  return [
    { method: "POST", path: `/v2/${name}/blobs/uploads/`, status: 202 },
    {
      method: "PUT",
      path: `<location>?digest=${digest}`,
      body: bytes,
      status: 201,
      answers: {
        location: endingIn(`/v2/${name}/blobs/${digest}`),
        "docker-content-digest": digest,
      },
    },
  ];
}

export function pushManifest(name: string, manifest: Content, reference: string): Step {
  return {
    method: "PUT",
    path: `/v2/${name}/manifests/${reference}`,
    headers: { "Content-Type": manifest.mediaType },
    body: manifest.bytes,
    status: 201,
    answers: {
      location: endingIn(`/v2/${name}/manifests/${manifest.digest}`),
      "docker-content-digest": manifest.digest,
    },
  };
}

/** Pushes an image with everything that it is made of. */
export function pushImage(
  name: string,
  pushed: { readonly manifest: Content; readonly blobs: readonly Content[] },
  ...references: readonly string[]
): readonly Step[] {
  return [
    ...pushed.blobs.flatMap((blob) => pushBlob(name, blob)),
    ...references.map((reference) => pushManifest(name, pushed.manifest, reference)),
  ];
}

/** A Location, be it a path or a whole URL. */
function endingIn(path: string): RegExp {
  return new RegExp(`^(?:https?://[^/]+)?${RegExp.escape(path)}$`);
}

export function beginUpload(name: string): Step {
  return { method: "POST", path: `/v2/${name}/blobs/uploads/`, status: 202 };
}

export function get(path: string, status: number, more: Partial<Step> = {}): Step {
  return { method: "GET", path, status, ...more };
}

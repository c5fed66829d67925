import { escapeControls } from "../base/control-characters.ts";
import { LeastRecent } from "../base/least-recent.ts";
import { mediaTypes } from "../oci/media-type.ts";
import type { RegistryError } from "../oci/problems.ts";
import { type Problem, problems } from "../oci/problems.ts";
import type { Content } from "../registry/content.ts";
import type { ByteRange } from "./range.ts";

export type HeaderFields = Readonly<Record<string, string>>;

/**
 * Headers of many answers to come, such as those of one manifest: they are made ready for the
 * socket once. Building ten headers costs as much as finding the manifest does.
 */
export class SharedHeaders {
  readonly fields: HeaderFields;
  /** True for the headers of a HEAD, which name the length of the body that is not there. */
  readonly hasLength: boolean;

  constructor(fields: HeaderFields) {
    this.fields = fields;
    this.hasLength = fields["Content-Length"] !== undefined;
  }
}

/** Shared headers that were asked for lately, by what they depend on. */
export class HeaderShelf {
  readonly #shelf: LeastRecent<SharedHeaders>;

  constructor(countMax: number) {
    this.#shelf = new LeastRecent(countMax);
  }

  /** The headers under `key`, made by `make` when nobody has asked for them lately. */
  take(key: string, make: () => HeaderFields): SharedHeaders {
    const known = this.#shelf.get(key);
    if (known !== undefined) return known;
    const headers = new SharedHeaders(make());
    this.#shelf.set(key, headers);
    return headers;
  }
}

/** What a handler answers. One writer turns it into bytes on a socket. */
export interface Reply {
  readonly status: number;
  readonly headers: HeaderFields | SharedHeaders;
  readonly body?: ReplyBody;
}

export type ReplyBody =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array | string }
  | { readonly kind: "content"; readonly content: Content; readonly range: ByteRange }
  | {
      readonly kind: "multipart";
      readonly content: Content;
      readonly ranges: readonly ByteRange[];
      readonly boundary: string;
    };

/** For bytes that strangers pushed: a browser must download them, never render them. */
export const untrustedContentHeaders = {
  "Content-Security-Policy": "default-src 'none'; sandbox",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY",
} as const;

/** A JSON document, with nothing after the media type: some clients compare it exactly. */
export function jsonReply(
  value: unknown,
  options: {
    readonly mediaType?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Reply {
  return {
    status: 200,
    headers: { "Content-Type": options.mediaType ?? "application/json", ...options.headers },
    body: { kind: "bytes", bytes: JSON.stringify(value) },
  };
}

export function emptyReply(status: number, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers };
}

/**
 * The OCI error body of a refusal (distribution-spec, "Error Codes"). People read it in a terminal,
 * which finds nothing to obey in it, whatever was asked for.
 */
export function errorReply(error: RegistryError): Reply {
  const { status }: Problem = problems[error.reason];
  const all = error.others.length > 0 ? [error, ...error.others] : [error];
  const errors = all.map(({ reason, message, facts }) => ({
    code: problems[reason].code,
    message,
    detail: facts,
  }));
  return {
    status,
    headers: { "Content-Type": "application/json", ...error.headers },
    body: { kind: "bytes", bytes: escapeControls(JSON.stringify({ errors })) },
  };
}

export const octetStream = mediaTypes.octetStream;

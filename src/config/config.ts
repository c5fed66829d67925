import type { Glob } from "../base/glob.ts";
import type { clientAuthModes, tlsVersions } from "./keys/http-keys.ts";
import type { accessLogFormats, logFormatters, logLevels } from "./keys/log-keys.ts";
import type { platformChecks } from "./keys/other-keys.ts";
import type { durabilities } from "./keys/storage-keys.ts";

/**
 * The whole configuration, every default filled in. Fields are called as their keys; durations
 * end in `Ms`, sizes in `Bytes`. What a key means stands in the table (`keys/`).
 */
export interface Config {
  readonly log: LogConfig;
  readonly storage: StorageConfig;
  readonly database: DatabaseConfig;
  readonly auth: AuthConfig;
  readonly http: HttpConfig;
  readonly health: HealthConfig;
  readonly catalog: { readonly maxEntries: number };
  readonly tags: { readonly maxTags: number };
  readonly validation: ValidationConfig;
  readonly gc: GcConfig;
  /** 0 when nothing can be taken back. */
  readonly trash: { readonly retentionMs: number };
  readonly retention: RetentionConfig;
  readonly immutableTags: readonly ImmutableTagsConfig[];
  readonly scrub: ScrubConfig;
}

export interface GcConfig {
  readonly isEnabled: boolean;
  readonly intervalMs: number;
  readonly graceMs: number;
  readonly trashGraceMs: number;
  /** Blobs a second. */
  readonly rate: number;
}

/** How the stored bytes are hashed again. */
export interface ScrubConfig {
  readonly isEnabled: boolean;
  /** From the end of one round to the beginning of the next. */
  readonly intervalMs: number;
  readonly rateBytesPerSecond: number;
}

export interface LogConfig {
  readonly level: (typeof logLevels)[number];
  readonly formatter: (typeof logFormatters)[number];
  /** Static fields of every line. */
  readonly fields: ReadonlyMap<string, string>;
  readonly accessLog: {
    readonly isEnabled: boolean;
    readonly format: (typeof accessLogFormats)[number];
  };
}

export interface StorageConfig {
  readonly driver: StorageDriverConfig;
  readonly delete: { readonly isEnabled: boolean };
  readonly maintenance: {
    readonly uploadPurging: UploadPurgingConfig;
    readonly readOnly: { readonly isEnabled: boolean };
  };
}

export type StorageDriverConfig =
  | {
      readonly kind: "filesystem";
      /** As it was written: relative to the working directory where it is not absolute. */
      readonly rootDirectory: string;
      readonly durability: (typeof durabilities)[number];
      readonly threadsMax: number;
      /** 0 for none. */
      readonly reserveBytes: number;
    }
  | { readonly kind: "inmemory" };

export interface UploadPurgingConfig {
  readonly isEnabled: boolean;
  readonly ageMs: number;
  readonly intervalMs: number;
  readonly isDryRun: boolean;
}

/** Where the derived metadata is. With the driver `inmemory` and no URL, nowhere but in memory. */
export type DatabaseConfig =
  | { readonly kind: "sqlite"; readonly metadataPath: string }
  | { readonly kind: "memory" }
  | { readonly kind: "postgresql"; readonly url: string };

export type AuthConfig = { readonly kind: "none" } | HtpasswdConfig | TokenConfig;

export interface HtpasswdConfig {
  readonly kind: "htpasswd";
  readonly realm: string;
  readonly path: string;
  /** 0 when verified credentials are not to be remembered. */
  readonly cacheTtlMs: number;
  readonly maxVerifications: number;
}

export interface TokenConfig {
  readonly kind: "token";
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** This, `jwksPath`, or both. */
  readonly rootCertBundlePath?: string;
  readonly jwksPath?: string;
  /** The path of the token service on the host that the client asked; absent when switched off. */
  readonly autoRedirectPath?: string;
  readonly signingAlgorithms: readonly string[];
}

export interface HttpConfig {
  readonly listen: ListenConfig;
  /** Starts and ends with `/`; `/` alone when the API is at the root. */
  readonly prefix: string;
  /** The external URL without a slash at the end; its path, if any, is not the prefix. */
  readonly host?: string;
  readonly areUrlsRelative: boolean;
  /** 0 when a stop is to wait for nothing. */
  readonly drainTimeoutMs: number;
  /** Addresses and CIDR blocks. Absent: every peer is trusted; empty: none. */
  readonly trustedProxies?: readonly string[];
  readonly limits: LimitsConfig;
  readonly tls?: TlsConfig;
  /** For every answer of the API; names as they were written. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly isHttp2Enabled: boolean;
  /** Absent when there is no debug server. */
  readonly debug?: DebugConfig;
}

export type ListenConfig = TcpListenConfig | { readonly kind: "unix"; readonly path: string };

export interface TcpListenConfig {
  readonly kind: "tcp";
  /** Without brackets; absent for all interfaces. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export interface LimitsConfig {
  readonly manifestBytes: number;
  readonly uploadsPerRepository: number;
  readonly urlBytes: number;
  readonly tagsPerRequest: number;
}

export interface TlsConfig {
  readonly certificatePath: string;
  readonly keyPath: string;
  readonly minimumVersion: (typeof tlsVersions)[number];
  /** Names as in the IANA registry; absent for the nine modern ones. */
  readonly cipherSuites?: readonly string[];
  /** Absent when clients need no certificates. */
  readonly clientCertificates?: {
    readonly caPaths: readonly string[];
    readonly mode: (typeof clientAuthModes)[number];
  };
}

export interface DebugConfig {
  readonly listen: TcpListenConfig;
  /** The path of the metrics; absent when they are off. */
  readonly prometheusPath?: string;
}

export interface HealthConfig {
  /** Absent when the check is off. */
  readonly storageDriver?: CheckConfig;
  readonly files: readonly (CheckConfig & { readonly path: string })[];
  readonly http: readonly HttpCheckConfig[];
  readonly tcp: readonly TcpCheckConfig[];
}

export interface CheckConfig {
  readonly intervalMs: number;
  /** Failures in a row that make it count. At least 1. */
  readonly threshold: number;
}

export interface HttpCheckConfig extends CheckConfig {
  readonly uri: string;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly statusCode: number;
  /** 0 for no limit. */
  readonly timeoutMs: number;
}

export interface TcpCheckConfig extends CheckConfig {
  readonly host: string;
  readonly port: number;
  /** 0 for no limit. */
  readonly timeoutMs: number;
}

export interface ValidationConfig {
  readonly isEnabled: boolean;
  readonly manifests: {
    /** A layer's URL must match one of `allow`, if there are any, and none of `deny`. */
    readonly urls: { readonly allow: readonly RegExp[]; readonly deny: readonly RegExp[] };
    readonly indexes: {
      readonly platforms: (typeof platformChecks)[number];
      /** With `platforms: list`, those whose manifests must be there. */
      readonly platformList: readonly {
        readonly os: string;
        readonly architecture: string;
      }[];
    };
  };
}

export interface RetentionConfig {
  readonly intervalMs: number;
  readonly deletionsPerSecond: number;
  readonly rules: readonly RetentionRuleConfig[];
}

export interface RetentionRuleConfig {
  readonly repositories: readonly Glob[];
  /** Each condition is absent when it is not asked for; `tags` is empty then. */
  readonly keep: {
    readonly lastPushed?: number;
    readonly tags: readonly Glob[];
    readonly lastPerSemverMinor?: number;
    readonly pulledWithinMs?: number;
  };
  readonly protect: readonly Glob[];
  /** Absent when untagged manifests stay. */
  readonly untaggedAfterMs?: number;
}

export interface ImmutableTagsConfig {
  readonly repositories: readonly Glob[];
  readonly tags: readonly Glob[];
  readonly except: readonly Glob[];
}

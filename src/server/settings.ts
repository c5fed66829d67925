import type { Config } from "../config/config.ts";
import type { WireSettings } from "../http/exchange.ts";
import type { RegistryPolicy } from "../registry/policy.ts";

/** What the configuration says to the wire. */
export function wireSettings(config: Config): WireSettings {
  const { http } = config;
  return {
    prefix: http.prefix.replace(/\/$/, ""),
    externalOrigin: http.host,
    areUrlsRelative: http.areUrlsRelative && http.host === undefined,
    catalogEntriesMax: config.catalog.maxEntries,
    tagsMax: config.tags.maxTags,
    manifestSizeBytesMax: http.limits.manifestBytes,
    tagsPerRequestMax: http.limits.tagsPerRequest,
    urlBytesMax: http.limits.urlBytes,
    isReadOnly: config.storage.maintenance.readOnly.isEnabled,
    isDeleteEnabled: config.storage.delete.isEnabled,
    extraHeaders: http.headers,
  };
}

/** … and to the use cases. */
export function registryPolicy(config: Config): RegistryPolicy {
  const { indexes, urls } = config.validation.manifests;
  return {
    leaseMs: config.gc.graceMs,
    trashRetentionMs: config.trash.retentionMs,
    uploadsPerRepositoryMax: config.http.limits.uploadsPerRepository,
    immutableTags: config.immutableTags,
    validation: {
      isEnabled: config.validation.isEnabled,
      urls,
      indexes:
        indexes.platforms === "list"
          ? { kind: "list", platforms: indexes.platformList }
          : { kind: indexes.platforms },
    },
  };
}

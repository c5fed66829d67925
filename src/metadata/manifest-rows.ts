import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";
import type { ManifestRecord } from "./metadata-store.ts";

/** The rows that are made of one manifest, without the ids that the database gives. */
export interface ManifestRows {
  readonly manifest: ManifestRow;
  readonly children: readonly ChildRow[];
  readonly layers: readonly LayerRow[];
  readonly annotations: readonly AnnotationRow[];
  /** In the order of digests, so that two transactions never wait for each other crosswise. */
  readonly references: readonly ReferenceRow[];
}

export type ManifestRow = ReturnType<typeof manifestRow>;
export type ChildRow = ReturnType<typeof childRow>;
export type LayerRow = ReturnType<typeof layerRow>;

export type AnnotationRow = {
  readonly source: "annotation" | "label";
  readonly position: number;
  readonly key: string;
  readonly value: string;
};

export type ReferenceRow = {
  readonly digest: Digest;
  readonly role: "self" | "config" | "layer" | "child";
};

/**
 * Changes when the tables' columns mean something else than before: then what older programs
 * recorded counts as different, and adoption and verification find it.
 */
const fingerprintVersion = 1;

/** A digest of all that is recorded of a manifest, but the time of its push. */
export function fingerprintOf(record: ManifestRecord): Digest {
  const { sizeBytes, manifest, config } = record;
  const { labels, ...facts } = config ?? { labels: {} };
  return digestOf(
    JSON.stringify([
      fingerprintVersion,
      record.digest,
      sizeBytes,
      [manifest.mediaType, manifest.kind, manifest.artifactType ?? null],
      [manifest.subject, manifest.config].map((it) => (it === undefined ? null : descriptor(it))),
      manifest.layers.map(descriptor),
      manifest.manifests.map(descriptor),
      Object.entries(manifest.annotations),
      config === undefined ? null : [factsInOrder(facts), Object.entries(labels)],
    ]),
  );
}

function descriptor(it: Descriptor): readonly unknown[] {
  const { platform } = it;
  return [
    it.mediaType,
    it.digest,
    it.sizeBytes,
    it.artifactType ?? null,
    isAttestation(it),
    platform === undefined
      ? null
      : [platform.os, platform.architecture, platform.variant ?? null, platform.osVersion ?? null],
  ];
}

function factsInOrder(facts: Partial<Omit<ImageConfig, "labels">>): readonly unknown[] {
  return [
    facts.os ?? null,
    facts.architecture ?? null,
    facts.variant ?? null,
    facts.builtAtMs ?? null,
    facts.diffIds ?? [],
    facts.instructions ?? [],
  ];
}

export function rowsOf(record: ManifestRecord): ManifestRows {
  const { manifest, config } = record;
  return {
    manifest: manifestRow(record),
    children: manifest.manifests.map(childRow),
    layers: manifest.layers.map((layer, position) => layerRow(layer, position, config)),
    annotations: [
      ...annotationRows("annotation", manifest.annotations),
      ...annotationRows("label", config?.labels ?? {}),
    ],
    references: referenceRows(record),
  };
}

function manifestRow(record: ManifestRecord) {
  const { manifest, config } = record;
  return {
    digest: record.digest,
    kind: manifest.kind,
    media_type: manifest.mediaType,
    artifact_type: manifest.artifactType ?? null,
    subject_digest: manifest.subject?.digest ?? null,
    size_bytes: record.sizeBytes,
    config_digest: manifest.config?.digest ?? null,
    config_media_type: manifest.config?.mediaType ?? null,
    config_size_bytes: manifest.config?.sizeBytes ?? null,
    os: config?.os ?? null,
    architecture: config?.architecture ?? null,
    variant: config?.variant ?? null,
    built_at_ms: config?.builtAtMs === undefined ? null : Math.floor(config.builtAtMs),
    pushed_at_ms: Math.floor(record.pushedAtMs),
    fingerprint: fingerprintOf(record),
  };
}

function childRow(child: Descriptor, position: number) {
  return {
    position,
    digest: child.digest,
    media_type: child.mediaType,
    size_bytes: child.sizeBytes,
    artifact_type: child.artifactType ?? null,
    os: child.platform?.os ?? null,
    architecture: child.platform?.architecture ?? null,
    variant: child.platform?.variant ?? null,
    os_version: child.platform?.osVersion ?? null,
    is_attestation: isAttestation(child) ? 1 : 0,
  } as const;
}

/** Buildkit hangs provenance and SBOMs into an index as children with this annotation. */
function isAttestation(child: Descriptor): boolean {
  return child.annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}

function layerRow(layer: Descriptor, position: number, config: ImageConfig | undefined) {
  return {
    position,
    digest: layer.digest,
    media_type: layer.mediaType,
    size_bytes: layer.sizeBytes,
    diff_id: config?.diffIds[position] ?? null,
    instruction: config?.instructions[position] ?? null,
  };
}

function annotationRows(
  source: AnnotationRow["source"],
  object: Readonly<Record<string, string>>,
): readonly AnnotationRow[] {
  return Object.entries(object).map(([key, value], position) => ({
    source,
    position,
    key,
    value,
  }));
}

function referenceRows({ digest, manifest }: ManifestRecord): readonly ReferenceRow[] {
  const rows = new Map<string, ReferenceRow>();
  const add = (role: ReferenceRow["role"], of: Digest) =>
    rows.set(`${of} ${role}`, { digest: of, role });
  add("self", digest);
  if (manifest.config !== undefined) add("config", manifest.config.digest);
  for (const layer of manifest.layers) add("layer", layer.digest);
  for (const child of manifest.manifests) add("child", child.digest);
  return [...rows.keys()].sort().flatMap((key) => rows.get(key) ?? []);
}

import type { Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import type { ImageManifest } from '../core/image-manifest.ts';
import { platformOf, type Platform } from '../core/platform.ts';
import type { Repository } from '../core/reference.ts';
import { isRecord, isTextRecord } from '../core/shape.ts';
import type { Source } from '../core/source.ts';
import { readSmallBlob } from './small-blob.ts';

/** image-spec config.md. The configs of artifacts leave most of it empty. */
export interface ImageConfig {
  readonly platform?: Platform;
  /** RFC 3339, as it stands there. */
  readonly created?: string;
  readonly author?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  /** `8080/tcp`. */
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  /** Digests of the layers' uncompressed tars, the base first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** What one build step left of itself, the oldest first. */
export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  /** Whether it changed no files. */
  readonly emptyLayer: boolean;
}

/** A build step with the layer it made. */
export interface BuildStep extends HistoryEntry {
  readonly layer?: BuiltLayer;
}

export interface BuiltLayer {
  /** From 0, the base. */
  readonly index: number;
  readonly descriptor: Descriptor;
  readonly diffId?: Digest;
}

/** The config of an image. Never fails for what is in it, only for not getting at it. */
export async function readImageConfig(
  source: Source,
  repository: Repository,
  { config }: ImageManifest,
): Promise<ImageConfig> {
  return parseImageConfig(await readSmallBlob(source, repository, config));
}

/** Takes what can be understood: everything else, up to all of it, is empty or absent. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const top = jsonRecord(bytes);
  const run = isRecord(top['config']) ? top['config'] : {};
  const rootfs = isRecord(top['rootfs']) ? top['rootfs'] : {};
  const platform = platformOf(top);
  return {
    ...(platform && { platform }),
    ...textual('created', top['created']),
    ...textual('author', top['author']),
    env: texts(run['Env']),
    entrypoint: texts(run['Entrypoint']),
    cmd: texts(run['Cmd']),
    ...textual('workdir', run['WorkingDir']),
    ...textual('user', run['User']),
    ports: keys(run['ExposedPorts']),
    volumes: keys(run['Volumes']),
    labels: isTextRecord(run['Labels']) ? run['Labels'] : {},
    ...textual('stopSignal', run['StopSignal']),
    diffIds: texts(rootfs['diff_ids']).filter((text) => isDigest(text)),
    history: records(top['history']).map(historyEntry),
  };
}

/**
 * The build steps with their layers, the oldest first. Every layer is in it once: those that no
 * step accounts for come last, as steps that say nothing.
 */
export function buildSteps(
  { history, diffIds }: ImageConfig,
  layers: readonly Descriptor[],
): readonly BuildStep[] {
  const built = layers.map((descriptor, index): BuiltLayer => {
    // Fewer or more of them than layers: nobody knows which belongs to which.
    const diffId = diffIds.length === layers.length ? diffIds[index] : undefined;
    return { index, descriptor, ...(diffId !== undefined && { diffId }) };
  });
  let next = 0;
  const steps = history.map((entry): BuildStep => {
    const layer = entry.emptyLayer ? undefined : built[next];
    if (layer !== undefined) next += 1;
    return { ...entry, ...(layer && { layer }) };
  });
  return [...steps, ...built.slice(next).map((layer) => ({ emptyLayer: false, layer }))];
}

function historyEntry(value: Record<string, unknown>): HistoryEntry {
  return {
    ...textual('created', value['created']),
    ...textual('createdBy', value['created_by']),
    ...textual('author', value['author']),
    ...textual('comment', value['comment']),
    emptyLayer: value['empty_layer'] === true,
  };
}

function jsonRecord(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function textual<K extends string>(key: K, value: unknown): { readonly [P in K]?: string } {
  // The type of a computed key is wider than what is put there.
  return typeof value === 'string' && value !== ''
    ? ({ [key]: value } as { readonly [P in K]?: string })
    : {};
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function keys(value: unknown): readonly string[] {
  return isRecord(value) ? Object.keys(value) : [];
}

function records(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

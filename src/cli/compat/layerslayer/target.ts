import type { Descriptor } from '../../../core/descriptor.ts';
import type { IndexEntry } from '../../../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../../../core/image-manifest.ts';
import { formatPlatform } from '../../../core/platform.ts';
import { atDigest, type Reference } from '../../../core/reference.ts';
import { leavesOf } from '../../../image/choose.ts';
import type { ImageLayers } from '../../../image/files/image-layers.ts';
import { readImageConfig, type HistoryEntry } from '../../../image/image-config.ts';
import { parseReference } from '../../../image/location.ts';
import type { Opened } from '../../../image/opened.ts';
import { normalHost } from '../../../upstream/docker-host.ts';

/** The registry of names that tell of none. */
export const HUB = 'docker.io';

/** What makes the tool end with 1; the message is the whole line. */
export class Refusal extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Refusal';
  }
}

/** @throws RegistryError NAME_INVALID @param registry where what names no registry is, if not on Hub */
export function readTarget(text: string, registry = HUB): Reference {
  const { repository, at } = parseReference(text);
  const host = repository.host === HUB ? normalHost(registry) : repository.host;
  return { repository: { host, path: repository.path }, at };
}

/** The image as it is called in listings: `owner/repo:tag` of Hub, with its registry elsewhere. */
export function targetName({ repository: { host, path }, at }: Reference): string {
  return `${host === HUB ? path : `${host}/${path}`}${atDigest(at) ? '@' : ':'}${at}`;
}

/** What there is to choose from; `undefined` where the reference is one image. */
export async function platformsIn({
  source,
  repository,
  at,
}: Opened): Promise<readonly IndexEntry[] | undefined> {
  const named = await source.manifest(repository, at);
  if (!isIndexType(named.descriptor.mediaType)) return undefined;
  return await leavesOf(source, repository, named);
}

export function platformText({ platform }: IndexEntry): string {
  return platform === undefined ? 'unknown/unknown' : formatPlatform(platform);
}

export interface Image extends ImageLayers {
  readonly config: Descriptor;
}

/** The image that the entry is of, or the reference itself. */
export async function imageOf(
  { source, repository, at }: Opened,
  entry: IndexEntry | undefined,
): Promise<Image> {
  const { bytes } = await source.manifest(repository, entry?.digest ?? at);
  const { layers, config } = parseImageManifest(bytes);
  return { source, repository, layers, config };
}

/** What was done to build it, the oldest first. */
export async function stepsOf(image: Image): Promise<readonly HistoryEntry[]> {
  const { source, repository, layers, config } = image;
  const { history } = await readImageConfig(source, repository, {
    layers,
    config,
    annotations: {},
  });
  return history;
}

/** @throws Refusal for a number that there is no platform for */
export function platformAt(
  entries: readonly IndexEntry[],
  index: number,
  what: string,
): IndexEntry {
  const entry = entries[index];
  if (entry !== undefined) return entry;
  throw new Refusal(
    `[!] Error: ${what} ${index} is out of range. Valid indices: 0-${entries.length - 1}`,
  );
}

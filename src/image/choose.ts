import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { entriesOf, type IndexEntry } from '../core/image-index.ts';
import { isIndexType, parseImageManifest, type ImageManifest } from '../core/image-manifest.ts';
import { parseManifest, type Manifest } from '../core/manifest.ts';
import { formatPlatform, hostPlatform, matchesPlatform, platformOf } from '../core/platform.ts';
import type { Platform } from '../core/platform.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import { isRecord } from '../core/shape.ts';
import type { Source } from '../core/source.ts';
import { readSmallBlob } from './small-blob.ts';

/** One image, and how it was come by. */
export interface Chosen {
  /** What the reference names, where that is an index. */
  readonly index?: Manifest;
  readonly manifest: Manifest;
  readonly image: ImageManifest;
  /** What the index says of it or, where a platform was asked for, its config; otherwise nobody has looked. */
  readonly platform?: Platform;
}

/** How far indexes lead to indexes. */
const DEEPEST = 8;

/** The variants of 32-bit arm, each of which runs what was built for those after it. */
const ARM: readonly string[] = ['v8', 'v7', 'v6', 'v5'];

/** The variants that need not be named. */
const USUAL: Readonly<Record<string, string>> = { arm: 'v7', arm64: 'v8' };

/**
 * The image that a reference means. Of an index it is the one for `platform`, by default this
 * machine's; indexes may be nested, and attestations are never chosen. A platform that was asked
 * for is had exactly or not at all. The default is content with an older arm than this machine's,
 * and takes a single image as it is.
 * @throws RegistryError MANIFEST_UNKNOWN, with `detail.platforms`, when there is none for the
 *   platform; MANIFEST_INVALID for what is neither an image nor an index
 */
export async function choose(
  source: Source,
  repository: Repository,
  at: Tag | Digest,
  platform?: Platform,
): Promise<Chosen> {
  const named = await source.manifest(repository, at);
  if (isIndexType(named.descriptor.mediaType)) {
    const entries = (await leavesOf(source, repository, named)).filter(isRunnable);
    const entry = await best(source, repository, entries, platform);
    if (entry === undefined) throw noMatch(formatReference(repository, at), entries, platform);
    const manifest = await source.manifest(repository, entry.digest);
    const image = parseImageManifest(manifest.bytes);
    return { index: named, manifest, image, ...(entry.platform && { platform: entry.platform }) };
  }
  const image = parseImageManifest(named.bytes);
  if (platform === undefined) return { manifest: named, image };
  const own = await configPlatform(source, repository, image);
  if (own === undefined || !matchesPlatform(platform, own)) {
    const entries = [{ ...named.descriptor, ...(own && { platform: own }) }];
    throw noMatch(formatReference(repository, at), entries, platform);
  }
  return { manifest: named, image, platform: own };
}

/**
 * The manifests of an index that are no indexes themselves, in order; nested indexes are opened in
 * their place, and what they say of a platform holds for entries that say nothing.
 */
export async function leavesOf(
  source: Source,
  repository: Repository,
  index: Manifest,
  depth = 1,
): Promise<readonly IndexEntry[]> {
  const leaves: IndexEntry[] = [];
  for (const entry of entriesOf(index.bytes)) {
    if (!isIndexType(entry.mediaType)) {
      leaves.push(entry);
      continue;
    }
    if (depth >= DEEPEST) {
      throw new RegistryError('MANIFEST_INVALID', `indexes are nested more than ${DEEPEST} deep`);
    }
    const inner = await source.manifest(repository, entry.digest);
    const found = await leavesOf(source, repository, inner, depth + 1);
    const { platform } = entry;
    for (const leaf of found) leaves.push(platform === undefined ? leaf : { platform, ...leaf });
  }
  return leaves;
}

/** Whether the entry is something to run; attestations of build tools are not. */
export function isRunnable({ platform, annotations }: IndexEntry): boolean {
  if (annotations?.['vnd.docker.reference.type'] !== undefined) return false;
  return platform?.os !== 'unknown' || platform.architecture !== 'unknown';
}

/** The first of those that fit best (image-index.md: "the first matching entry SHOULD be used"). */
async function best(
  source: Source,
  repository: Repository,
  entries: readonly IndexEntry[],
  asked: Platform | undefined,
): Promise<IndexEntry | undefined> {
  const wanted = asked ?? hostPlatform();
  for (const fits of preferences(wanted, asked === undefined ? ARM : [])) {
    const found = entries.find(({ platform }) => platform !== undefined && fits(platform));
    if (found !== undefined) return found;
  }
  // An entry may leave the platform to the config: only then is it worth the requests.
  for (const entry of entries.filter(({ platform }) => platform === undefined)) {
    const platform = await entryPlatform(source, repository, entry);
    if (platform !== undefined && matchesPlatform(wanted, platform)) return { ...entry, platform };
  }
  return undefined;
}

/** What is looked for, the best first. Where no variant is wanted, entries without one come first. */
function preferences(
  wanted: Platform,
  older: readonly string[],
): readonly ((offered: Platform) => boolean)[] {
  const matches = (offered: Platform): boolean => matchesPlatform(wanted, offered);
  const { architecture, variant } = wanted;
  if (variant === undefined) {
    const usual = USUAL[architecture];
    const plain = (one: Platform): boolean => one.variant === undefined || one.variant === usual;
    return [(offered) => plain(offered) && matches(offered), matches];
  }
  const from = architecture === 'arm' ? older.indexOf(variant) : -1;
  const others = from < 0 ? [] : older.slice(from + 1);
  const lesser = others.map(
    (variant) => (offered: Platform) =>
      matchesPlatform(Object.assign({}, wanted, { variant }), offered),
  );
  return [matches, ...lesser];
}

async function entryPlatform(
  source: Source,
  repository: Repository,
  { digest }: IndexEntry,
): Promise<Platform | undefined> {
  const { bytes } = await source.manifest(repository, digest);
  try {
    return await configPlatform(source, repository, parseImageManifest(bytes));
  } catch (error) {
    // Something else than an image may be listed, too.
    if (error instanceof RegistryError && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}

/** What the config says it runs on; `undefined` for the configs of artifacts. */
async function configPlatform(
  source: Source,
  repository: Repository,
  { config }: ImageManifest,
): Promise<Platform | undefined> {
  const bytes = await readSmallBlob(source, repository, config);
  try {
    const value = parseManifest(bytes);
    return isRecord(value) ? platformOf(value) : undefined;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}

function noMatch(
  name: string,
  entries: readonly IndexEntry[],
  asked: Platform | undefined,
): RegistryError {
  const platforms = [
    ...new Set(entries.map(({ platform }) => (platform ? describe(platform) : 'unstated'))),
  ];
  const wanted = describe(asked ?? hostPlatform());
  const there = platforms.length === 0 ? 'it has no images' : `there is ${platforms.join(', ')}`;
  return new RegistryError('MANIFEST_UNKNOWN', `${name} has no image for ${wanted}; ${there}`, {
    detail: { platforms },
  });
}

function describe(platform: Platform): string {
  const { osVersion } = platform;
  return formatPlatform(platform) + (osVersion === undefined ? '' : ` (${osVersion})`);
}

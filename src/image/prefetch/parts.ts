import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import { entriesOf } from '../../core/image-index.ts';
import { isIndexType } from '../../core/image-manifest.ts';
import { isManifestType, parseManifest, type Manifest } from '../../core/manifest.ts';
import { formatPlatform, type Platform } from '../../core/platform.ts';
import { atDigest, type Repository } from '../../core/reference.ts';
import type { Source } from '../../core/source.ts';
import { plan, type Selection } from '../copy/plan.ts';
import type { Stock } from './stock.ts';

/** What of an image is wanted; no platforms: the one of this machine. */
export interface Choice {
  readonly platforms: readonly Platform[] | 'all';
  readonly referrers: 'left-out' | 'copied';
}

/** What an image consists of, as far as it is wanted. */
export interface Parts {
  readonly manifests: readonly Manifest[];
  readonly blobs: readonly Descriptor[];
  /** Configurations of images for other platforms: to be there, if they can be had. */
  readonly beside: readonly Descriptor[];
  readonly notes: readonly string[];
}

/** Of one image: beyond that it is no image but an attempt to fill memory. */
const MOST_MANIFESTS = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;

/** Bytes; what is larger is no configuration of an image. */
const LARGEST_CONFIG = 8 * 1024 * 1024;

const ATTESTED = 'vnd.docker.reference.digest';

/**
 * Reads the manifests of an image, which puts them into the stock. An index stays as it is: which of
 * its images are here only shows when they are asked for.
 * @throws RegistryError MANIFEST_UNKNOWN when there is none of the platforms, or what the stock throws
 */
export async function partsOf(
  stock: Stock,
  repository: Repository,
  root: Manifest,
  choice: Choice,
): Promise<Parts> {
  const read = new Map<Digest, Manifest>([[root.descriptor.digest, root]]);
  const source = reading(stock, read);
  const blobs = new Map<Digest, Descriptor>();
  const notes: string[] = [];
  const { digest } = root.descriptor;
  const add = async (at: Digest, selection: Selection): Promise<Digest> => {
    const { referrers } = choice;
    const planned = await plan({ source, repository, at, name: at, selection, referrers });
    for (const one of planned.manifests) for (const blob of one.blobs) blobs.set(blob.digest, blob);
    return planned.chosen.descriptor.digest;
  };
  const { platforms } = choice;
  const isIndex = isIndexType(root.descriptor.mediaType);
  if (platforms === 'all' || (platforms.length === 0 && !isIndex)) {
    await add(digest, { kind: 'all' });
  } else if (platforms.length === 0) {
    await attestations(root, await add(digest, { kind: 'one' }), choice, add);
  } else {
    const lacking: RegistryError[] = [];
    for (const platform of platforms) {
      try {
        await attestations(root, await add(digest, { kind: 'one', platform }), choice, add);
      } catch (error) {
        const there = platformsIn(error);
        if (!(error instanceof RegistryError) || there === undefined) throw error;
        // Charts and other artifacts are for any platform.
        if (!isIndex && there.includes('unstated'))
          return partsOf(stock, repository, root, whole(choice));
        lacking.push(error);
        notes.push(`there is no image for ${formatPlatform(platform)}`);
      }
    }
    const [first] = lacking;
    if (first !== undefined && lacking.length === platforms.length) throw first;
  }
  if (choice.referrers === 'copied' && isIndex && platforms !== 'all') {
    // The index itself may be signed, too.
    const { items } = await source.referrers(repository, digest);
    for (const item of items) await add(item.digest, { kind: 'all' });
  }
  if (platforms !== 'all') await others(source, repository, read);
  const manifests = [...read.values()];
  const beside = manifests.flatMap(configOf).filter(({ digest }) => !blobs.has(digest));
  return { manifests, blobs: [...blobs.values()], beside, notes };
}

/**
 * The manifests of an index that are not wanted: containerd 2 does not pull an image if it cannot read
 * all of them and their configurations. Of what they list the rest, which is large, is left out.
 */
async function others(
  source: Source,
  repository: Repository,
  read: ReadonlyMap<Digest, Manifest>,
): Promise<void> {
  // The map grows while it is walked: an index may list indexes.
  for (const { bytes, descriptor } of read.values()) {
    if (!isIndexType(descriptor.mediaType)) continue;
    for (const { digest, mediaType } of entriesOf(bytes)) {
      if (!isManifestType(mediaType)) continue;
      try {
        await source.manifest(repository, digest);
      } catch (error) {
        // Copies of single platforms lack the others everywhere.
        if (!isUnknown(error)) throw error;
      }
    }
  }
}

function whole({ referrers }: Choice): Choice {
  return { platforms: 'all', referrers };
}

function configOf({ bytes, descriptor }: Manifest): readonly Descriptor[] {
  if (isIndexType(descriptor.mediaType)) return [];
  const config = parseDescriptor(parseManifest(bytes)['config']);
  return config === undefined || config.size > LARGEST_CONFIG ? [] : [config];
}

/** What build tools list beside an image to say how it was made goes with its other referrers. */
async function attestations(
  root: Manifest,
  image: Digest,
  { referrers }: Choice,
  add: (at: Digest, selection: Selection) => Promise<Digest>,
): Promise<void> {
  if (referrers === 'left-out' || !isIndexType(root.descriptor.mediaType)) return;
  for (const { digest, annotations } of entriesOf(root.bytes)) {
    if (annotations?.[ATTESTED] === image) await add(digest, { kind: 'all' });
  }
}

/** What there is instead, where an image lacks the platform; `undefined` for every other failure. */
function platformsIn(error: unknown): readonly unknown[] | undefined {
  if (!(error instanceof RegistryError) || error.code !== 'MANIFEST_UNKNOWN') return undefined;
  const { detail } = error;
  if (typeof detail !== 'object' || detail === null || !('platforms' in detail)) return undefined;
  return Array.isArray(detail.platforms) ? detail.platforms : undefined;
}

/** The stock as a source that notes which manifests were read, up to a bound. */
function reading(stock: Stock, read: Map<Digest, Manifest>): Source {
  let bytes = 0;
  return {
    manifest: async (repository, at) => {
      if (!atDigest(at)) return stock.tag(repository, at);
      const known = read.get(at);
      if (known !== undefined) return known;
      const manifest = await stock.manifest(repository, at);
      bytes += manifest.bytes.length;
      read.set(manifest.descriptor.digest, manifest);
      if (read.size > MOST_MANIFESTS || bytes > MOST_BYTES) {
        throw new RegistryError(
          'MANIFEST_INVALID',
          `it leads to more than ${MOST_MANIFESTS} manifests, or ${MOST_BYTES} bytes of them`,
        );
      }
      return manifest;
    },
    resolve: (repository, at) =>
      atDigest(at) ? stock.manifest(repository, at) : stock.resolve(repository, at),
    blob: (repository, digest) => stock.blob(repository, digest),
    stat: async (repository, digest) => {
      await using blob = await stock.blob(repository, digest);
      return { size: blob.size };
    },
    tags: (repository) => stock.tags(repository),
    referrers: (repository, digest) => stock.referrers(repository, digest),
  };
}

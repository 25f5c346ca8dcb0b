import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import { entriesOf } from '../../core/image-index.ts';
import { isIndexType } from '../../core/image-manifest.ts';
import { isManifestType, parseManifest, type Manifest } from '../../core/manifest.ts';
import { formatPlatform, type Platform } from '../../core/platform.ts';
import { atDigest, isTag, type Repository, type Tag } from '../../core/reference.ts';
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
  /** Tags that lead to some of it, apart from the image's own. */
  readonly tags: readonly Tag[];
  readonly notes: readonly string[];
}

/** Of one image: beyond that it is no image but an attempt to fill memory. */
const MOST_MANIFESTS = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;

/** Bytes; what is larger is no configuration of an image. */
const LARGEST_CONFIG = 8 * 1024 * 1024;

const ATTESTED = 'vnd.docker.reference.digest';

/** What cosign puts behind a digest to make a tag of it. */
const COSIGN = ['sig', 'att', 'sbom'] as const;

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
  const gathering = new Gathering(stock, repository, root, choice);
  await gathering.images();
  if (choice.referrers === 'copied') await gathering.referrers();
  if (choice.platforms !== 'all') await gathering.others();
  return gathering.parts;
}

class Gathering {
  readonly #stock: Stock;
  readonly #repository: Repository;
  readonly #root: Manifest;
  readonly #choice: Choice;
  readonly #source: Source;
  readonly #read: Map<Digest, Manifest>;
  readonly #blobs = new Map<Digest, Descriptor>();
  readonly #chosen = new Set<Digest>();
  readonly #tags: Tag[] = [];
  readonly #notes: string[] = [];

  constructor(stock: Stock, repository: Repository, root: Manifest, choice: Choice) {
    [this.#stock, this.#repository, this.#root, this.#choice] = [stock, repository, root, choice];
    this.#read = new Map([[root.descriptor.digest, root]]);
    this.#source = reading(stock, this.#read);
  }

  get parts(): Parts {
    const manifests = [...this.#read.values()];
    const beside = manifests.flatMap(configOf).filter(({ digest }) => !this.#blobs.has(digest));
    const [blobs, tags, notes] = [[...this.#blobs.values()], this.#tags, this.#notes];
    return { manifests, blobs, beside, tags, notes };
  }

  /** Those for the platforms. @throws RegistryError MANIFEST_UNKNOWN when there is none */
  async images(): Promise<void> {
    const { platforms } = this.#choice;
    const { digest, mediaType } = this.#root.descriptor;
    this.#chosen.add(digest);
    if (platforms === 'all' || (platforms.length === 0 && !isIndexType(mediaType))) {
      await this.#add(digest, { kind: 'all' });
      for (const one of this.#read.keys()) this.#chosen.add(one);
      return;
    }
    if (platforms.length === 0) return this.#one(undefined);
    const lacking: RegistryError[] = [];
    for (const platform of platforms) {
      try {
        await this.#one(platform);
      } catch (error) {
        const there = platformsIn(error);
        if (!(error instanceof RegistryError) || there === undefined) throw error;
        // Charts and other artifacts are for any platform.
        if (!isIndexType(mediaType) && there.includes('unstated')) {
          await this.#add(digest, { kind: 'all' });
          return;
        }
        lacking.push(error);
        this.#notes.push(`there is no image for ${formatPlatform(platform)}`);
      }
    }
    const [first] = lacking;
    if (first !== undefined && lacking.length === platforms.length) throw first;
  }

  /** Of the images and of their index: those that are listed, and those under tags as cosign keeps them. */
  async referrers(): Promise<void> {
    const { digest, mediaType } = this.#root.descriptor;
    if (isIndexType(mediaType) && this.#choice.platforms !== 'all') {
      const { items } = await this.#source.referrers(this.#repository, digest);
      for (const item of items) await this.#add(item.digest, { kind: 'all' });
      // What build tools list beside an image to say how it was made.
      for (const { digest, annotations } of entriesOf(this.#root.bytes)) {
        const about = annotations?.[ATTESTED];
        if (about !== undefined && isDigest(about) && this.#chosen.has(about)) {
          await this.#add(digest, { kind: 'all' });
        }
      }
    }
    for (const one of this.#chosen) {
      for (const suffix of COSIGN) await this.#tagged(`${one.replace(':', '-')}.${suffix}`);
    }
  }

  /**
   * The manifests of an index that are not wanted: containerd 2 does not pull an image if it cannot read
   * all of them and their configurations. Of what they list the rest, which is large, is left out.
   */
  async others(): Promise<void> {
    // The map grows while it is walked: an index may list indexes.
    for (const { bytes, descriptor } of this.#read.values()) {
      if (!isIndexType(descriptor.mediaType)) continue;
      for (const { digest, mediaType } of entriesOf(bytes)) {
        if (!isManifestType(mediaType)) continue;
        // Copies of single platforms lack the others everywhere.
        await unlessUnknown(this.#source.manifest(this.#repository, digest));
      }
    }
  }

  async #one(platform: Platform | undefined): Promise<void> {
    const { digest } = this.#root.descriptor;
    this.#chosen.add(await this.#add(digest, { kind: 'one', platform }));
  }

  async #tagged(text: string): Promise<void> {
    if (!isTag(text)) return;
    const found = await unlessUnknown(this.#stock.resolve(this.#repository, text));
    if (found === undefined) return;
    await this.#add(found.descriptor.digest, { kind: 'all' });
    this.#tags.push(text);
  }

  async #add(at: Digest, selection: Selection): Promise<Digest> {
    const { referrers } = this.#choice;
    const [source, repository] = [this.#source, this.#repository];
    const planned = await plan({ source, repository, at, name: at, selection, referrers });
    for (const { blobs } of planned.manifests) {
      for (const blob of blobs) this.#blobs.set(blob.digest, blob);
    }
    return planned.chosen.descriptor.digest;
  }
}

async function unlessUnknown<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isUnknown(error)) return undefined;
    throw error;
  }
}

function configOf({ bytes, descriptor }: Manifest): readonly Descriptor[] {
  if (isIndexType(descriptor.mediaType)) return [];
  const config = parseDescriptor(parseManifest(bytes)['config']);
  return config === undefined || config.size > LARGEST_CONFIG ? [] : [config];
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

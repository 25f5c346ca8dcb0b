import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { entriesOf, type IndexEntry } from '../../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import { parseManifest, type Manifest } from '../../core/manifest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import { formatPlatform, matchesPlatform, platformOf, type Platform } from '../../core/platform.ts';
import { isRecord } from '../../core/shape.ts';
import type { LeftOut, WhyLeftOut } from './lock.ts';

/** Where the closure is looked for. What is not there is `undefined`. */
export interface ClosureSource {
  manifest(digest: Digest): Promise<Manifest | undefined>;
  /** Whether there is a manifest of that digest. */
  has(digest: Digest): Promise<boolean>;
  /** Bytes of any content. */
  size(digest: Digest): Promise<number | undefined>;
  /** A configuration, which states the platform of an image that is for one alone. */
  config(descriptor: Descriptor): Promise<Uint8Array | undefined>;
  referrers(digest: Digest): Promise<readonly Descriptor[]>;
}

export interface ClosureRules {
  /** Of an index: every image that is there, every one that is listed, or those for these platforms. */
  readonly platforms: 'stored' | 'all' | readonly Platform[];
  /** Manifests that refer to what is taken: those that are there whole, all of them, or none. */
  readonly referrers: 'stored' | 'all' | 'none';
}

export interface Part {
  readonly descriptor: Descriptor;
  readonly kind: 'manifest' | 'blob';
}

/** Something that belongs to the image and is not there. */
export interface Missing extends Pick<Descriptor, 'digest' | 'mediaType' | 'size'> {
  readonly neededBy: string;
}

/** Everything that an image is nothing without. */
export interface Closure {
  /** What lists something comes before what it lists. */
  readonly content: ReadonlyMap<Digest, Part>;
  readonly platforms: readonly string[];
  /** What refers to something of it, itself part of the content. */
  readonly referrers: readonly Descriptor[];
  readonly leftOut: readonly LeftOut[];
  readonly missing: readonly Missing[];
}

/** Content of one image. The largest indexes list some dozen images of some hundred layers. */
const MOST_CONTENT = 100_000;
/** Indexes within indexes. */
const DEEPEST = 8;

/** An index's line about what buildkit says of another of its images. */
const ATTESTED = 'vnd.docker.reference.digest';

/**
 * Follows an image to everything that belongs to it.
 * @throws RegistryError MANIFEST_INVALID for what is no image, or lies about sizes, or has no end;
 *   MANIFEST_UNKNOWN if it is not for any of the platforms
 */
export async function closureOf(
  name: string,
  root: Descriptor,
  source: ClosureSource,
  rules: ClosureRules,
): Promise<Closure> {
  const walk = new Walk(name, source, rules);
  await walk.image(root, name, 0);
  walk.checkPlatforms(root);
  await walk.referring();
  return walk.closure;
}

class Walk {
  readonly #name: string;
  readonly #source: ClosureSource;
  readonly #rules: ClosureRules;
  readonly #content = new Map<Digest, Part>();
  readonly #platforms = new Set<string>();
  readonly #referrers = new Map<Digest, Descriptor>();
  readonly #leftOut = new Map<Digest, LeftOut>();
  readonly #missing = new Map<Digest, Missing>();

  constructor(name: string, source: ClosureSource, rules: ClosureRules) {
    this.#name = name;
    this.#source = source;
    this.#rules = rules;
  }

  get closure(): Closure {
    return {
      content: this.#content,
      platforms: [...this.#platforms].toSorted(),
      referrers: [...this.#referrers.values()],
      leftOut: [...this.#leftOut.values()],
      missing: [...this.#missing.values()],
    };
  }

  async image(descriptor: Descriptor, neededBy: string, depth: number): Promise<void> {
    const { digest, mediaType, size } = descriptor;
    if (this.#content.has(digest)) return;
    if (depth > DEEPEST) throw this.#invalid(`indexes within indexes, ${depth} deep`);
    const manifest = await this.#source.manifest(digest);
    if (manifest === undefined) {
      this.#missing.set(digest, { digest, mediaType, size, neededBy });
      return;
    }
    if (manifest.descriptor.size !== size) throw this.#sizes(digest, size, manifest.bytes.length);
    this.#add({ descriptor: manifest.descriptor, kind: 'manifest' });
    this.#leftOut.delete(digest);
    if (isIndexType(manifest.descriptor.mediaType)) return this.#children(manifest, depth);
    const schema1 = await this.#schema1(manifest);
    for (const part of schema1 ?? partsOf(manifest)) await this.#blob(part, digest);
    if (depth === 0 && schema1 === undefined) await this.#ownPlatform(manifest);
  }

  /** Something has to be left of an image whose platforms were chosen. */
  checkPlatforms({ digest }: Descriptor): void {
    const { platforms } = this.#rules;
    if (typeof platforms === 'string' || this.#missing.has(digest)) return;
    const wanted = platforms.filter(
      (one) =>
        ![...this.#platforms].some((text) => matchesPlatform(one, read(text))) &&
        this.#platforms.size + this.#leftOut.size > 0,
    );
    if (wanted.length === 0) return;
    const others = [...this.#platforms, ...this.#leftOut.values().map(({ platform }) => platform)];
    const there = others.filter((text) => text !== undefined).join(', ');
    throw new RegistryError(
      'MANIFEST_UNKNOWN',
      `${this.#name} is not for ${wanted.map(formatPlatform).join(', ')}; it is for ${there}`,
    );
  }

  /** Signatures and the like, and what refers to those. */
  async referring(): Promise<void> {
    const { referrers } = this.#rules;
    if (referrers === 'none') return;
    // What is added meanwhile is come upon as well.
    for (const { descriptor, kind } of this.#content.values()) {
      if (kind === 'blob') continue;
      for (const referrer of await this.#source.referrers(descriptor.digest)) {
        if (this.#content.has(referrer.digest)) continue;
        if (referrers === 'all' || (await this.#isWhole(referrer))) {
          await this.image(referrer, `a referrer of ${descriptor.digest}`, 1);
          this.#referrers.set(referrer.digest, referrer);
        } else this.#leave(referrer, 'not stored');
      }
    }
  }

  async #isWhole(descriptor: Descriptor): Promise<boolean> {
    const walk = new Walk(this.#name, this.#source, { platforms: 'all', referrers: 'none' });
    await walk.image(descriptor, '', 1);
    return walk.closure.missing.length === 0;
  }

  async #children({ bytes, descriptor }: Manifest, depth: number): Promise<void> {
    const entries = entriesOf(bytes);
    for (const entry of entries) {
      const why = await this.#whyNot(entry);
      if (why !== undefined) {
        if (!this.#content.has(entry.digest)) this.#leave(entry, why);
        continue;
      }
      const { platform } = entry;
      if (platform !== undefined && platform.os !== 'unknown') {
        this.#platforms.add(formatPlatform(platform));
      }
      await this.image(entry, descriptor.digest, depth + 1);
    }
    const { platforms } = this.#rules;
    const none = entries.length > 0 && !entries.some(({ digest }) => this.#content.has(digest));
    // An index of which nothing is here is no image that anybody could run.
    if (platforms === 'stored' && none) {
      for (const entry of entries) {
        this.#leftOut.delete(entry.digest);
        await this.image(entry, descriptor.digest, depth + 1);
      }
    }
  }

  async #whyNot(entry: IndexEntry): Promise<WhyLeftOut | undefined> {
    const { platforms } = this.#rules;
    if (platforms === 'all') return undefined;
    const stored = await this.#source.has(entry.digest);
    if (platforms === 'stored') return stored ? undefined : 'not stored';
    const { platform, annotations } = entry;
    if (platform === undefined) return stored ? undefined : 'not stored';
    if (platforms.some((one) => matchesPlatform(one, platform))) return undefined;
    const about = annotations?.[ATTESTED];
    const attests = this.#content.values().some(({ descriptor }) => descriptor.digest === about);
    return attests && stored && this.#rules.referrers !== 'none' ? undefined : 'platform';
  }

  async #blob(descriptor: Descriptor, neededBy: Digest): Promise<void> {
    const { digest, mediaType, size } = descriptor;
    const known = this.#content.get(digest);
    if (known !== undefined) {
      if (known.descriptor.size !== size) throw this.#sizes(digest, size, known.descriptor.size);
      return;
    }
    const stored = await this.#source.size(digest);
    if (stored === undefined) {
      if (/\.(?:nondistributable|foreign)\./.test(mediaType)) {
        this.#leave(descriptor, 'not distributable');
      } else this.#missing.set(digest, { digest, mediaType, size, neededBy });
      return;
    }
    if (stored !== size) throw this.#sizes(digest, size, stored);
    this.#add({ descriptor: { digest, mediaType, size }, kind: 'blob' });
  }

  /** Docker's old manifests name their layers by digest alone. */
  async #schema1({ bytes, descriptor }: Manifest): Promise<readonly Descriptor[] | undefined> {
    const { mediaType } = descriptor;
    const old = mediaType === MEDIA_TYPES.dockerSchema1;
    if (!old && mediaType !== MEDIA_TYPES.dockerSchema1Signed) return undefined;
    const { fsLayers } = parseManifest(bytes);
    const found = new Map<Digest, Descriptor>();
    for (const layer of Array.isArray(fsLayers) ? fsLayers : []) {
      const digest: unknown = isRecord(layer) ? layer['blobSum'] : undefined;
      const one = parseDescriptor({ mediaType: 'application/octet-stream', digest, size: 0 });
      if (one === undefined) throw this.#invalid('a layer without a digest');
      found.set(one.digest, { ...one, size: (await this.#source.size(one.digest)) ?? 0 });
    }
    return [...found.values()];
  }

  async #ownPlatform(manifest: Manifest): Promise<void> {
    const { config } = parseImageManifest(manifest.bytes);
    const bytes = await this.#source.config(config);
    const platform = bytes && platformIn(bytes);
    if (platform !== undefined) this.#platforms.add(formatPlatform(platform));
  }

  #add(part: Part): void {
    this.#content.set(part.descriptor.digest, part);
    if (this.#content.size > MOST_CONTENT)
      throw this.#invalid(`more than ${MOST_CONTENT} pieces of content`);
  }

  #leave(entry: IndexEntry, why: WhyLeftOut): void {
    const { digest, mediaType, size, platform } = entry;
    const named = platform === undefined ? {} : { platform: formatPlatform(platform) };
    this.#leftOut.set(digest, { digest, mediaType, size, ...named, why });
  }

  #sizes(digest: Digest, listed: number, found: number): RegistryError {
    return this.#invalid(`${digest} has ${found} bytes where ${listed} are listed`);
  }

  #invalid(why: string): RegistryError {
    return new RegistryError('MANIFEST_INVALID', `${this.#name}: ${why}`);
  }
}

function partsOf({ bytes }: Manifest): readonly Descriptor[] {
  const { config, layers } = parseImageManifest(bytes);
  return [config, ...layers];
}

function platformIn(config: Uint8Array): Platform | undefined {
  try {
    return platformOf(JSON.parse(Buffer.from(config).toString()));
  } catch {
    return undefined;
  }
}

/** What `formatPlatform` has written. */
function read(text: string): Platform {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

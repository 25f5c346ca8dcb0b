import { isForeign } from '../../core/foreign.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { entriesOf, type IndexEntry } from '../../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import type { Manifest } from '../../core/manifest.ts';
import { formatPlatform, matchesPlatform } from '../../core/platform.ts';
import {
  isForAPlatform,
  isOld,
  partsOf,
  platformIn,
  type Closure,
  type ClosureRules,
  type ClosureSource,
  type Part,
} from './closure-parts.ts';
import { Findings } from './findings.ts';
import type { WhyLeftOut } from './lock.ts';
import { oldLayersOf } from './old-layers.ts';

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
  await walk.root(root);
  walk.checkPlatforms(root);
  await walk.referring();
  return walk.closure;
}

/** Whether all of an index's image is wanted, or why not. */
type Way = 'whole' | WhyLeftOut;

class Walk {
  readonly #name: string;
  readonly #source: ClosureSource;
  readonly #rules: ClosureRules;
  readonly #found = new Findings();

  constructor(name: string, source: ClosureSource, rules: ClosureRules) {
    this.#name = name;
    this.#source = source;
    this.#rules = rules;
  }

  get closure(): Closure {
    return this.#found.closure;
  }

  async root(root: Descriptor): Promise<void> {
    this.#found.wanted.add(root.digest);
    await this.image(root, this.#name, 0);
  }

  async image(descriptor: Descriptor, neededBy: string, depth: number): Promise<void> {
    const { digest, mediaType, size } = descriptor;
    if (this.#found.content.has(digest)) return;
    if (depth > DEEPEST) throw this.#invalid(`indexes within indexes, ${depth} deep`);
    const manifest = await this.#source.manifest(digest);
    if (manifest === undefined) {
      this.#found.missing.set(digest, { digest, mediaType, size, neededBy });
      return;
    }
    if (manifest.descriptor.size !== size) throw this.#sizes(digest, size, manifest.bytes.length);
    this.#add({ descriptor: manifest.descriptor, kind: 'manifest' });
    this.#found.takeBack(digest);
    if (isIndexType(manifest.descriptor.mediaType)) return this.#children(manifest, depth);
    const schema1 = isOld(manifest) ? await this.#oldLayers(manifest) : undefined;
    for (const part of schema1 ?? partsOf(manifest)) await this.#blob(part, digest);
    if (depth === 0 && schema1 === undefined) await this.#ownPlatform(manifest);
  }

  /** Something has to be left of an image whose platforms were chosen. */
  checkPlatforms({ digest }: Descriptor): void {
    const { platforms } = this.#rules;
    if (typeof platforms === 'string' || this.#found.missing.has(digest)) return;
    const wanted = this.#found.lacking(platforms);
    if (wanted.length === 0) return;
    throw new RegistryError(
      'MANIFEST_UNKNOWN',
      `${this.#name} is not for ${wanted.map(formatPlatform).join(', ')}; it is for ${this.#found.told}`,
    );
  }

  /** Signatures and the like, and what refers to those. */
  async referring(): Promise<void> {
    const { referrers } = this.#rules;
    if (referrers === 'none') return;
    // What is added meanwhile is come upon as well.
    for (const { descriptor, kind } of this.#found.content.values()) {
      if (kind === 'blob') continue;
      for (const referrer of await this.#source.referrers(descriptor.digest)) {
        if (this.#found.content.has(referrer.digest)) continue;
        if (referrers === 'all' || (await this.#isWhole(referrer))) {
          await this.image(referrer, `a referrer of ${descriptor.digest}`, 1);
          this.#found.referrers.set(referrer.digest, referrer);
        } else this.#found.leave(referrer, 'not stored');
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
    const ways: Way[] = [];
    for (const entry of entries) ways.push(await this.#wayOf(entry));
    // An index of which nothing can be run is no image: then all of it is missing.
    const runs = entries.some((entry, at) => ways[at] === 'whole' && isForAPlatform(entry));
    const nothing = this.#rules.platforms === 'stored' && !runs && entries.some(isForAPlatform);
    for (const [at, entry] of entries.entries()) {
      const way = nothing ? 'whole' : (ways[at] ?? 'whole');
      if (way !== 'whole' && !(await this.#attests(entry))) {
        await this.#pass(entry, way);
        continue;
      }
      const { platform } = entry;
      if (platform !== undefined && platform.os !== 'unknown') {
        this.#found.platforms.add(formatPlatform(platform));
      }
      if (way === 'whole' && isForAPlatform(entry)) this.#found.wanted.add(entry.digest);
      await this.image(entry, descriptor.digest, depth + 1);
    }
  }

  async #wayOf(entry: IndexEntry): Promise<Way> {
    const { platforms } = this.#rules;
    if (platforms === 'all') return 'whole';
    const { platform } = entry;
    if (platforms !== 'stored' && platform !== undefined) {
      return platforms.some((one) => matchesPlatform(one, platform)) ? 'whole' : 'platform';
    }
    const manifest = await this.#source.manifest(entry.digest);
    if (manifest === undefined) return 'not stored';
    if (isIndexType(manifest.descriptor.mediaType) || isOld(manifest)) return 'whole';
    const { layers } = parseImageManifest(manifest.bytes);
    for (const { digest } of layers) {
      if ((await this.#source.size(digest)) !== undefined) return 'whole';
    }
    return layers.length === 0 ? 'whole' : 'not stored';
  }

  /** What buildkit says of an image that is taken; it is small. */
  async #attests(entry: IndexEntry): Promise<boolean> {
    const about = entry.annotations?.[ATTESTED];
    if (about === undefined || this.#rules.referrers === 'none') return false;
    const { platforms } = this.#rules;
    if (typeof platforms === 'string') return false;
    const taken = this.#found.content
      .values()
      .some(({ descriptor }) => descriptor.digest === about);
    return taken && (await this.#isWhole(entry));
  }

  /**
   * Of a platform that is left out the manifest and the configuration go along where they are at hand:
   * containerd asks for all of an index's before it pulls one.
   */
  async #pass(entry: IndexEntry, why: WhyLeftOut): Promise<void> {
    const manifest = await this.#source.manifest(entry.digest);
    const plain = manifest !== undefined && !isIndexType(manifest.descriptor.mediaType);
    if (!plain || isOld(manifest)) return this.#found.leave(entry, why);
    if (this.#found.content.has(entry.digest)) return;
    this.#add({ descriptor: manifest.descriptor, kind: 'manifest' });
    this.#found.partial.add(entry.digest);
    const { config, layers } = parseImageManifest(manifest.bytes);
    const { platform } = entry;
    const named = platform === undefined ? {} : { platform };
    if ((await this.#source.size(config.digest)) === config.size) {
      const { digest, mediaType, size } = config;
      this.#add({ descriptor: { digest, mediaType, size }, kind: 'blob' });
    } else this.#found.leave({ ...config, ...named }, why);
    for (const layer of layers) this.#found.leave({ ...layer, ...named }, why);
  }

  async #blob(descriptor: Descriptor, neededBy: Digest): Promise<void> {
    const { digest, mediaType, size } = descriptor;
    const known = this.#found.content.get(digest);
    if (known !== undefined) {
      if (known.descriptor.size !== size) throw this.#sizes(digest, size, known.descriptor.size);
      return;
    }
    const stored = await this.#source.size(digest);
    if (stored === undefined) {
      if (isForeign({ mediaType })) {
        this.#found.leave(descriptor, 'not distributable');
      } else {
        this.#found.missing.set(digest, { digest, mediaType, size, neededBy });
        this.#found.partial.add(neededBy);
      }
      return;
    }
    if (stored !== size) throw this.#sizes(digest, size, stored);
    this.#add({ descriptor: { digest, mediaType, size }, kind: 'blob' });
  }

  async #oldLayers(manifest: Manifest): Promise<readonly Descriptor[]> {
    const layers = await oldLayersOf(manifest, this.#source);
    if (layers === undefined) throw this.#invalid('a layer without a digest');
    return layers;
  }

  async #ownPlatform(manifest: Manifest): Promise<void> {
    const { config } = parseImageManifest(manifest.bytes);
    const bytes = await this.#source.config(config);
    const platform = bytes && platformIn(bytes);
    if (platform !== undefined) this.#found.platforms.add(formatPlatform(platform));
  }

  #add(part: Part): void {
    this.#found.content.set(part.descriptor.digest, part);
    if (this.#found.content.size > MOST_CONTENT)
      throw this.#invalid(`more than ${MOST_CONTENT} pieces of content`);
  }

  #sizes(digest: Digest, listed: number, found: number): RegistryError {
    return this.#invalid(`${digest} has ${found} bytes where ${listed} are listed`);
  }

  #invalid(why: string): RegistryError {
    return new RegistryError('MANIFEST_INVALID', `${this.#name}: ${why}`);
  }
}

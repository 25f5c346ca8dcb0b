import { parseDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { RegistryError } from '../../core/errors.ts';
import { entriesOf, type IndexEntry } from '../../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import { isManifestType, parseManifest, type Manifest } from '../../core/manifest.ts';
import type { Platform } from '../../core/platform.ts';
import { atDigest, type Repository, type Tag } from '../../core/reference.ts';
import type { Digest } from '../../core/digest.ts';
import type { Source } from '../../core/source.ts';
import { choose } from '../choose.ts';
import { limit, together } from './limit.ts';

/**
 * What of an index is copied. `one`: the image for the platform, by default this machine's, under the
 * target's name. `all`: the index with everything in it. `some`: the images for those platforms; an
 * index is never rewritten, so they are there by digest alone, unless the index is wanted as it is,
 * with entries that lead nowhere (`sparse`), which many registries refuse.
 */
export type Selection =
  | { readonly kind: 'one'; readonly platform?: Platform | undefined }
  | { readonly kind: 'all' }
  | {
      readonly kind: 'some';
      readonly platforms: readonly Platform[];
      readonly index: 'left-out' | 'sparse';
    };

/** A manifest to be written, and what has to be there before. */
export interface Planned {
  readonly manifest: Manifest;
  readonly at: Tag | Digest;
  readonly blobs: readonly Descriptor[];
}

export interface Plan {
  /** The last of the list, unless referrers come after it. */
  readonly chosen: Manifest;
  readonly platform?: Platform;
  /** In the order of writing: children before their indexes, referrers last. */
  readonly manifests: readonly Planned[];
}

export interface PlanOptions {
  readonly source: Source;
  readonly repository: Repository;
  readonly at: Tag | Digest;
  /** What it is called at the target. A digest there is always the manifest's own. */
  readonly name: Tag | Digest;
  readonly selection: Selection;
  /** Whether signatures and other referrers of what is copied come along. */
  readonly referrers: 'left-out' | 'copied';
}

const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
const AT_A_TIME = 4;

/** Reads every manifest that is going to be written. @throws RegistryError as `choose` and the source do */
export async function plan(options: PlanOptions): Promise<Plan> {
  const { source, repository, at, name, selection } = options;
  const planning = new Planning(options);
  switch (selection.kind) {
    case 'one': {
      const { manifest, platform } = await choose(source, repository, at, selection.platform);
      await planning.add(manifest, name);
      return planning.done(manifest, platform);
    }
    case 'all': {
      const manifest = await source.manifest(repository, at);
      await planning.add(manifest, name);
      return planning.done(manifest);
    }
    case 'some': {
      const images = [];
      for (const platform of selection.platforms) {
        images.push(await choose(source, repository, at, platform));
      }
      const named = images[0]?.index ?? images[0]?.manifest;
      if (named === undefined) throw new RegistryError('REQUEST_INVALID', 'no platform is named');
      const whole = images.every(({ index }) => index === undefined);
      for (const { manifest } of images) {
        await planning.add(manifest, whole ? name : manifest.descriptor.digest);
      }
      if (!whole && selection.index === 'sparse') planning.addAlone(named, name);
      return planning.done(named);
    }
  }
}

class Planning {
  readonly #options: PlanOptions;
  readonly #planned = new Map<Digest, Planned>();
  readonly #limited = limit(AT_A_TIME);

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  async done(chosen: Manifest, platform?: Platform): Promise<Plan> {
    if (this.#options.referrers === 'copied') {
      // The list grows while it is walked: a signature may be signed, too.
      for (const { manifest } of this.#planned.values()) await this.#addReferrers(manifest);
    }
    return { chosen, manifests: [...this.#planned.values()], ...(platform && { platform }) };
  }

  async add(manifest: Manifest, at: Tag | Digest): Promise<void> {
    const { source, repository } = this.#options;
    const entries = isIndexType(manifest.descriptor.mediaType) ? entriesOf(manifest.bytes) : [];
    const children = entries.filter(isManifest);
    const read = await together(
      children.map(({ digest }) => this.#limited(() => source.manifest(repository, digest))),
      () => {},
    );
    for (const child of read) {
      const { digest } = child.descriptor;
      if (!this.#planned.has(digest)) await this.add(child, digest);
    }
    // Build tools keep their caches in indexes over layers.
    this.#put(
      manifest,
      at,
      entries.length > 0 ? entries.filter((one) => !isManifest(one)) : blobsOf(manifest),
    );
  }

  /** Without what it lists. */
  addAlone(manifest: Manifest, at: Tag | Digest): void {
    this.#put(manifest, at, []);
  }

  async #addReferrers({ descriptor }: Manifest): Promise<void> {
    const { source, repository } = this.#options;
    const { items } = await source.referrers(repository, descriptor.digest);
    for (const { digest } of items) {
      if (this.#planned.has(digest)) continue;
      await this.add(await source.manifest(repository, digest), digest);
    }
  }

  #put(manifest: Manifest, at: Tag | Digest, blobs: readonly Descriptor[]): void {
    const { digest } = manifest.descriptor;
    this.#planned.set(digest, { manifest, at: atDigest(at) ? digest : at, blobs });
  }
}

function isManifest({ mediaType }: IndexEntry): boolean {
  return isManifestType(mediaType) || mediaType === ARTIFACT;
}

/** @throws RegistryError MANIFEST_INVALID for what lists its content in a way nobody knows, such as schema 1 */
function blobsOf({ bytes, descriptor }: Manifest): readonly Descriptor[] {
  if (isIndexType(descriptor.mediaType)) return [];
  if (descriptor.mediaType === ARTIFACT) {
    const { blobs } = parseManifest(bytes);
    return Array.isArray(blobs)
      ? blobs.flatMap((blob: unknown) => parseDescriptor(blob) ?? [])
      : [];
  }
  const { config, layers } = parseImageManifest(bytes);
  return [config, ...layers];
}

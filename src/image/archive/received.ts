import type { Descriptor } from '../../core/descriptor.ts';
import { algorithmOf, digestOf, type Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { isIndexType, parseImageManifest, type ImageManifest } from '../../core/image-manifest.ts';
import { childrenOf, type Manifest } from '../../core/manifest.ts';
import { isForeign } from '../../core/foreign.ts';
import { atDigest, same, type Reference, type Repository, type Tag } from '../../core/reference.ts';

/** An image that was written, with what it is called. */
export interface Named {
  readonly manifest: Manifest;
  /** By tag; none for one that was written under its digest alone. */
  readonly names: readonly Reference[];
  /** The repository that it was written to. */
  readonly repository: Repository;
}

/** The manifests that a sink was given. */
export class Received {
  readonly #manifests = new Map<Digest, Manifest>();
  readonly #named = new Map<Digest, { repository: Repository; names: Reference[] }>();

  /**
   * @throws RegistryError DIGEST_INVALID for bytes that are something else, MANIFEST_BLOB_UNKNOWN for
   *   a manifest of which `has` does not know a part
   */
  add(
    repository: Repository,
    at: Tag | Digest,
    manifest: Manifest,
    has: (digest: Digest) => boolean,
  ): void {
    const { digest } = manifest.descriptor;
    const right = digestOf(manifest.bytes, algorithmOf(digest)) === digest;
    if (!right || (atDigest(at) && at !== digest)) {
      throw new RegistryError('DIGEST_INVALID', `the manifest ${at} is something else`);
    }
    for (const part of partsOf(manifest)) {
      if (!has(part.digest)) {
        throw new RegistryError(
          'MANIFEST_BLOB_UNKNOWN',
          `${digest} lists ${part.digest}, which was not written`,
        );
      }
    }
    this.#manifests.set(digest, manifest);
    const known = this.#named.get(digest) ?? { repository, names: [] };
    if (!atDigest(at)) {
      // A tag has one meaning: the last one.
      for (const { names } of this.#named.values()) {
        const index = names.findIndex(
          (name) => name.at === at && same(name.repository, repository),
        );
        if (index !== -1) names.splice(index, 1);
      }
      known.names.push({ repository, at });
    }
    this.#named.set(digest, known);
  }

  get(digest: Digest): Manifest | undefined {
    return this.#manifests.get(digest);
  }

  /** Every manifest, in the order they came. */
  get all(): readonly Manifest[] {
    return [...this.#manifests.values()];
  }

  /** What is to be listed: all that have a name, and all that no index lists. */
  get images(): readonly Named[] {
    const listed = new Set<Digest>();
    for (const { bytes, descriptor } of this.#manifests.values()) {
      if (isIndexType(descriptor.mediaType))
        for (const { digest } of childrenOf(bytes)) listed.add(digest);
    }
    return [...this.#manifests.values()].flatMap((manifest) => {
      const { digest } = manifest.descriptor;
      const { names = [], repository } = this.#named.get(digest) ?? {};
      if (repository === undefined || (names.length === 0 && listed.has(digest))) return [];
      return [{ manifest, names, repository }];
    });
  }
}

/** What has to be there before the manifest: layers that may not be handed on are not (image-spec layer.md). */
function partsOf({ bytes, descriptor }: Manifest): readonly Descriptor[] {
  if (isIndexType(descriptor.mediaType)) return [];
  const { config, layers }: ImageManifest = parseImageManifest(bytes);
  return [config, ...layers.filter((layer) => !isForeign(layer))];
}

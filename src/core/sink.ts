import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { Manifest } from './manifest.ts';
import type { Range } from './range.ts';
import type { Repository, Tag } from './reference.ts';
import type { Blob } from './source.ts';

/**
 * Opens the content to be written, from its beginning or, when an interrupted transfer goes on, a
 * part of it. A sink that has the content already never calls it. The sink disposes what it opened.
 */
export type Content = (range?: Range) => Promise<Blob>;

/** `present`: it was there. `mounted`: another repository of the same place had it. */
export type Placement = 'present' | 'mounted' | 'written';

export interface PlaceOptions {
  /** A repository of the same place that holds the content, to be mounted from rather than sent. */
  readonly from?: Repository | undefined;
  /** Told of every piece that was handed over, in bytes; a piece sent anew is told again, minus first. */
  readonly progress?: ((bytes: number) => void) | undefined;
}

/**
 * Anywhere content can be written to: a registry, a hosted repository, a folder, an archive. Blobs
 * come before the manifest that lists them. Nothing that was not verified counts as written.
 */
export interface Sink {
  /** @throws RegistryError DIGEST_INVALID, SIZE_INVALID for content that is not what the descriptor says */
  blob(
    repository: Repository,
    descriptor: Descriptor,
    content: Content,
    options?: PlaceOptions,
  ): Promise<Placement>;
  /** Under a tag, or under its digest alone. The bytes travel as they are. */
  manifest(repository: Repository, at: Tag | Digest, manifest: Manifest): Promise<void>;
}

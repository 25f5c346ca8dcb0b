import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Reference, Repository, Tag } from '../core/reference.ts';
import type { Sink } from '../core/sink.ts';
import type { Source } from '../core/source.ts';

/** A location opened for reading. Disposing closes what is behind it; blobs are disposed before. */
export interface Opened extends AsyncDisposable {
  readonly source: Source;
  /** What to ask the source for. A place that names no repository answers under a stand-in. */
  readonly repository: Repository;
  readonly at: Tag | Digest;
}

/** One image of a place that lists what it has. */
export interface Listed {
  /** Of the manifest, or of the index of all its platforms. */
  readonly descriptor: Descriptor;
  /** What it is called there; none for an image without a name. */
  readonly names: readonly Reference[];
}

/** A folder or an archive opened for reading. */
export interface OpenedPlace extends Opened {
  /** Everything in it, in its order. */
  readonly images: readonly Listed[];
}

/**
 * A location opened for writing. Several images may be written. Nothing is visible under its final
 * name before `commit`; disposal without one leaves nothing behind.
 */
export interface OpenedSink extends AsyncDisposable {
  readonly sink: Sink;
  /** What the image is to be called there. */
  readonly repository: Repository;
  readonly at: Tag | Digest;
  /**
   * Told of each image that is chosen, and what it is called, before anything of it is fetched.
   * @throws RegistryError UNSUPPORTED for what has no place there
   */
  check?(manifest: Manifest, name: string): void;
  /**
   * Makes all of it visible at once, safe from a loss of power.
   * @throws RegistryError STORAGE_UNAVAILABLE; what was there before still is
   */
  commit(): Promise<void>;
}

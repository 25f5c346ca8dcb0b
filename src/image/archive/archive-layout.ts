import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { ImageManifest } from '../../core/image-manifest.ts';
import type { Received } from './received.ts';

/** A file that is made here, or a folder, whose name ends with `/`. */
export interface SmallFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Finished {
  readonly received: Received;
  /** Where content has been put; `undefined` for what was not written. */
  readonly path: (digest: Digest) => string | undefined;
}

/** What the files of an archive are called, and which are there besides content. */
export interface ArchiveLayout {
  /** What becomes of layers that may not be handed on and are not where everything else is. */
  readonly foreign: 'needed' | 'left-out';
  /** @throws RegistryError UNSUPPORTED for what has no place there */
  check(manifest: ImageManifest, name: string): void;
  /** Where content goes. @throws RegistryError UNSUPPORTED for content that has no place there */
  path(descriptor: Descriptor): string;
  /** What goes with content that was written. */
  beside(descriptor: Descriptor): readonly SmallFile[];
  /** What tells of the images, once all of them are known. */
  finish(finished: Finished): readonly SmallFile[];
}

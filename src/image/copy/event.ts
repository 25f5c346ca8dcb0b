import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { Platform } from '../../core/platform.ts';
import type { Repository, Tag } from '../../core/reference.ts';
import type { Served } from '../../core/served.ts';

/**
 * Where bytes came from. `neighbour`: another process on this machine was fetching them. `mirror-hit`: a mirror had them; `mirror-filled`: it fetched them for this,
 * and keeps them; `mirror`: it passed them on. `upstream`: the registry itself. `disk`: a folder, an
 * archive or a store on this machine, which the image was read from.
 */
export type Origin =
  | 'cache'
  | 'neighbour'
  | 'mirror-hit'
  | 'mirror-filled'
  | 'mirror'
  | 'upstream'
  | 'disk';

/** How a blob got to its target; `present` and `mounted` moved no bytes. */
export type BlobFrom = Origin | 'present' | 'mounted';

export type CopyEvent =
  /** What is going to be written for the image of that number, counted from 0. */
  | {
      readonly type: 'image-chosen';
      readonly image: number;
      readonly descriptor: Descriptor;
      readonly platform?: Platform;
      /** What it takes, each once; foreign layers that stay where they are are not among them. */
      readonly blobs: readonly Descriptor[];
    }
  | { readonly type: 'blob-started'; readonly descriptor: Descriptor }
  /** Bytes of it that the target has taken so far. Fewer than before when it is sent anew. */
  | { readonly type: 'blob-progress'; readonly descriptor: Descriptor; readonly bytes: number }
  | { readonly type: 'blob-done'; readonly descriptor: Descriptor; readonly from: BlobFrom }
  /** Bytes that were read for it, also where it was read in vain. */
  | {
      readonly type: 'blob-read';
      readonly digest: Digest;
      readonly from: Origin;
      readonly bytes: number;
    }
  /** A layer that may not be handed on (image-spec layer.md, "Non-Distributable Layers"). */
  | { readonly type: 'blob-left-out'; readonly descriptor: Descriptor }
  | {
      readonly type: 'manifest-done';
      readonly repository: Repository;
      readonly at: Tag | Digest;
      readonly descriptor: Descriptor;
    };

export type Observe = (event: CopyEvent) => void;

/** What a cache on the way says of a blob that was not on this machine. */
export function originOf(served: Served | undefined): Origin {
  switch (served?.result) {
    case undefined:
      return 'upstream';
    case 'hit':
    case 'revalidated':
    case 'stale':
      return 'mirror-hit';
    case 'miss':
    case 'joined':
      return 'mirror-filled';
    case 'bypass':
    case 'negative':
    case 'error':
      return 'mirror';
  }
}

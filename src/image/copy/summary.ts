import type { BlobFrom, CopyEvent, Observe, Origin } from './event.ts';

/** What a run came to. */
export interface Summary {
  /** How many blobs got there how. */
  readonly blobs: Readonly<Record<BlobFrom, number>>;
  /** Bytes that were read, by where from: what was read in vain included. */
  readonly bytes: Readonly<Record<Origin, number>>;
  /** Layers that may not be handed on. */
  readonly leftOut: number;
  readonly manifests: number;
}

/** Counts the events of a run. */
export class Tally {
  readonly #blobs = {
    cache: 0,
    neighbour: 0,
    'mirror-hit': 0,
    'mirror-filled': 0,
    mirror: 0,
    upstream: 0,
    disk: 0,
    present: 0,
    mounted: 0,
  };
  readonly #bytes = {
    cache: 0,
    neighbour: 0,
    'mirror-hit': 0,
    'mirror-filled': 0,
    mirror: 0,
    upstream: 0,
    disk: 0,
  };
  #leftOut = 0;
  #manifests = 0;

  /** Counts what passes on its way to `observe`. */
  observing(observe: Observe | undefined): Observe {
    return (event) => {
      this.#count(event);
      observe?.(event);
    };
  }

  get summary(): Summary {
    return {
      blobs: { ...this.#blobs },
      bytes: { ...this.#bytes },
      leftOut: this.#leftOut,
      manifests: this.#manifests,
    };
  }

  #count(event: CopyEvent): void {
    switch (event.type) {
      case 'blob-done':
        this.#blobs[event.from] += 1;
        break;
      case 'blob-read':
        this.#bytes[event.from] += event.bytes;
        break;
      case 'blob-left-out':
        this.#leftOut += 1;
        break;
      case 'manifest-done':
        this.#manifests += 1;
        break;
      case 'image-chosen':
      case 'blob-started':
      case 'blob-progress':
        break;
    }
  }
}

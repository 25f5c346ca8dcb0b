import { asError } from '../core/errors.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { MEDIA_TYPES } from '../core/media-type.ts';
import { formatReference } from '../core/reference.ts';
import { repositories } from './catalog.ts';
import type { Paths } from './paths.ts';
import { replaceFile } from './small-file.ts';
import type { ContentStore } from './store.ts';
import type { TagStore } from './tags.ts';

export interface LayoutOptions {
  readonly paths: Paths;
  readonly tags: Pick<TagStore, 'get' | 'list'>;
  readonly store: ContentStore;
  /** The index could not be written; it will be tried again. */
  readonly onError?: (error: Error) => void;
}

/** Milliseconds between two writes of the index, at least. */
const PAUSE = 60_000;

/**
 * The files that make the store an OCI image layout for other tools (image-spec image-layout.md):
 * `oci-layout`, and `index.json` with every tag whose manifest is here, under
 * `org.opencontainers.image.ref.name` as `host/path:tag`.
 */
export class Layout {
  readonly #options: LayoutOptions;
  #dirty = true;

  constructor(options: LayoutOptions) {
    this.#options = options;
  }

  /** A tag has another meaning: the index is out of date. */
  touch(): void {
    this.#dirty = true;
  }

  /** Writes the index whenever it is out of date, seldom enough to cost nothing, until the signal ends it. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = performance.now();
      try {
        await this.flush();
      } catch (error) {
        this.#options.onError?.(asError(error));
      }
      const pause = Math.max(PAUSE, 20 * (performance.now() - started));
      await delay(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Writes the index now if it is out of date. @throws Error of Node; it stays out of date then */
  async flush(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#write();
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  async #write(): Promise<void> {
    const { paths } = this.#options;
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: await this.#list(),
    };
    await replaceFile(paths.layout, '{"imageLayoutVersion":"1.0.0"}', paths.journal);
    await replaceFile(paths.index, `${JSON.stringify(index, undefined, 2)}\n`, paths.journal);
  }

  async #list(): Promise<readonly object[]> {
    const { paths, tags, store } = this.#options;
    const listed: object[] = [];
    for (const repository of await repositories(paths)) {
      for (const tag of await tags.list(repository)) {
        const record = await tags.get(repository, tag);
        if (record === undefined) continue;
        const { mediaType, digest, size } = record.descriptor;
        if ((await store.size(digest)) !== size) continue;
        const name = formatReference(repository, tag);
        const annotations = { 'org.opencontainers.image.ref.name': name };
        listed.push({ mediaType, digest, size, annotations });
      }
    }
    return listed;
  }
}

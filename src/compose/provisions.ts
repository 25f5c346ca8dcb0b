import type { Logger } from 'pino';
import type { Administration } from '../http/admin/administration.ts';
import { HELLO_WORLD, helloWorldArchive } from '../image/hello-world/image.ts';
import type { Importer } from './importer.ts';
import { preload, type PreloadEvent } from './preload.ts';
import type { OpenStore } from './store.ts';

/** What is to be in the store before anybody is served. */
export interface Provisions {
  /** Archives and files that name images. */
  readonly preload: readonly string[];
  /** The image that is built in. */
  readonly helloWorld: 'included' | 'left-out';
}

export interface ProvisioningOptions {
  readonly store: OpenStore;
  readonly importer: Importer;
  readonly prefetch: Administration['prefetch'];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Ends it: what is half done is not visible. */
  readonly signal: AbortSignal;
}

/** Tags that one pattern of a file may fit. */
const MOST_TAGS = 100;

/** @throws RegistryError with the reason why something is not there; INTERRUPTED */
export async function provision(
  { preload: patterns, helloWorld }: Provisions,
  { store, importer, prefetch, environment, logger, signal }: ProvisioningOptions,
): Promise<void> {
  if (helloWorld === 'included') {
    const query = { name: HELLO_WORLD, platforms: [], tags: 'overwrite' } as const;
    await importer.import(query, inOne(helloWorldArchive()), signal);
  }
  await preload({
    patterns,
    store,
    importer,
    environment,
    signal,
    prefetch: (images) =>
      prefetch(
        { images, platforms: [], referrers: 'left-out', maxTags: MOST_TAGS, mode: 'fetch' },
        { signal, observe: () => {} },
      ),
    observe: (event) => log(logger, event),
  });
}

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function log(logger: Logger, event: PreloadEvent): void {
  switch (event.type) {
    case 'unchanged':
      return logger.info({ file: event.file }, 'preload: everything is here already');
    case 'imported': {
      const { images, blobs, bytes } = event.imported;
      return logger.info(
        { file: event.file, images: images.length, blobs, bytes },
        'preload: imported',
      );
    }
    case 'fetched': {
      const { complete, fetched } = event.summary;
      return logger.info({ file: event.file, images: complete, ...fetched }, 'preload: fetched');
    }
  }
}

/** How to try what a server serves that holds the built-in image. */
export function tryHelloWorld(port: number): string {
  return `docker run --rm 127.0.0.1:${port}/library/hello-world`;
}

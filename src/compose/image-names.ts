import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { RegistryError, systemCode, type ErrorCode } from '../core/errors.ts';
import type { Named } from '../image/prefetch/schedule.ts';

export interface ImageNamesOptions {
  /** What compose files leave to it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends it at once. */
  readonly signal?: AbortSignal | undefined;
}

/** What the thread is begun with. */
export interface NamesWanted extends Pick<ImageNamesOptions, 'environment'> {
  readonly files: readonly string[];
}

/** What the thread tells. */
export type NamesRead =
  | { readonly kind: 'read'; readonly named: Named }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** Megabytes: several times what the largest object takes that is read at all. */
const MEMORY = 1024;

/** Beside this module, written in what this one is. */
const THREAD = new URL(
  `./image-names-thread${path.extname(import.meta.filename)}`,
  import.meta.url,
);

/**
 * What files name, and what in them cannot be used, for whoever has clients: a large file takes seconds,
 * so it is read in a thread of its own, which also has memory of its own to run out of.
 * @throws RegistryError REQUEST_INVALID for a file that cannot be read; the signal's reason
 */
export async function namesIn(
  files: readonly string[],
  { environment, signal }: ImageNamesOptions,
): Promise<Named> {
  signal?.throwIfAborted();
  if (files.length === 0) return { images: [], unusable: [] };
  const wanted: NamesWanted = { files, environment: { ...environment } };
  const thread = new Worker(THREAD, {
    workerData: wanted,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY },
  });
  // While it is being ended nobody else listens, and an error without a listener ends the process.
  thread.on('error', () => {});
  try {
    const read = await told(thread, signal);
    if (read.kind === 'read') return read.named;
    throw new RegistryError(read.code, read.message);
  } catch (error) {
    signal?.throwIfAborted();
    if (systemCode(error) !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
    const message = `${files.join(', ')}: reading takes more than ${MEMORY} MB of memory: divide it`;
    throw new RegistryError('REQUEST_INVALID', message, { cause: error });
  } finally {
    await thread.terminate();
  }
}

async function told(thread: Worker, signal: AbortSignal | undefined): Promise<NamesRead> {
  // What ends it without a word, an error of its own apart, is an end as well.
  const ended = once(thread, 'exit', { ...(signal && { signal }) }).then(([code]) => {
    throw new Error(`the thread that reads files ended with ${String(code)}`);
  });
  ended.catch(() => {});
  const [read] = await Promise.race([
    once(thread, 'message', { ...(signal && { signal }) }),
    ended,
  ]);
  return read as NamesRead;
}

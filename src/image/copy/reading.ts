import { RegistryError } from '../../core/errors.ts';
import { rewrap } from '../../core/rewrap.ts';
import type { Blob } from '../../core/source.ts';

export interface ReadingOptions {
  /** Ends reading at once, also where nothing comes. */
  readonly signal: AbortSignal;
  /** Told of every chunk, in bytes. */
  readonly onBytes: (bytes: number) => void;
}

/** A blob whose reading ends with the signal: what the target is writing at that moment is waited for. */
export function reading(blob: Blob, { signal, onBytes }: ReadingOptions): Blob {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const end = (): void => {
    ended.reject(interrupted(signal));
    // Frees whoever waits for bytes that are not coming.
    Promise.resolve(blob[Symbol.asyncDispose]()).catch(() => {});
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  const pour = blob.pour?.bind(blob);
  return rewrap(blob, {
    body: (async function* () {
      const iterator = blob.body[Symbol.asyncIterator]();
      for (;;) {
        const next = await Promise.race([iterator.next(), ended.promise]);
        if (next.done === true) return;
        onBytes(next.value.length);
        yield next.value;
      }
    })(),
    ...(pour && {
      pour: async (write) => {
        let writing = Promise.resolve();
        const poured = pour((chunk) => {
          if (signal.aborted) throw interrupted(signal);
          onBytes(chunk.length);
          writing = write(chunk);
          return writing;
        });
        // Whoever does not wait for it learns of its end by the signal.
        poured.catch(() => {});
        try {
          await Promise.race([poured, ended.promise]);
        } finally {
          await writing.catch(() => {});
        }
      },
    }),
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener('abort', end);
      await blob[Symbol.asyncDispose]();
    },
  });
}

/** Why it ended: what another part of the run failed with, or that somebody did not want it any more. */
export function interrupted(signal: AbortSignal): RegistryError {
  const { reason } = signal;
  if (reason instanceof RegistryError) return reason;
  return new RegistryError('INTERRUPTED', 'interrupted', { cause: reason });
}

import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { rewrap } from '../core/rewrap.ts';
import type { Repository } from '../core/reference.ts';
import type { Blob, Source } from '../core/source.ts';
import { LeftBehind } from './store.ts';
import { Persistence } from './persistence.ts';

export interface AloneOptions {
  readonly upstream: Source;
  readonly repository: Repository;
  readonly digest: Digest;
  readonly retries: number;
}

/**
 * The same blob, whose reader goes on with an upstream request of its own where the shared download
 * has left it behind. The promise stays: a clean end means the right bytes.
 */
export function orAlone(blob: Blob, options: AloneOptions): Blob {
  const stop = new AbortController();
  const pour = blob.pour?.bind(blob);
  let position = blob.span.start;
  const rest = (error: unknown): AsyncIterable<Uint8Array> => {
    if (error instanceof LeftBehind) return goOn(blob, position, error, options, stop.signal);
    throw error;
  };
  return rewrap(blob, {
    body: (async function* () {
      try {
        for await (const chunk of blob.body) {
          position += chunk.length;
          yield chunk;
        }
      } catch (error) {
        yield* rest(error);
      }
    })(),
    ...(pour && {
      pour: async (write) => {
        try {
          await pour(async (chunk) => {
            position += chunk.length;
            await write(chunk);
          });
        } catch (error) {
          for await (const chunk of rest(error)) await write(chunk);
        }
      },
    }),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await blob[Symbol.asyncDispose]();
    },
  });
}

/** From `position` to the end of the blob's span; the content's last byte waits for the digest. */
async function* goOn(
  { span, size }: Blob,
  position: number,
  { position: from, hasher }: LeftBehind,
  options: AloneOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let at = from;
  let held: Uint8Array | undefined;
  for await (const chunk of resumed(from, size, options, signal)) {
    hasher.update(chunk);
    const wanted = chunk.subarray(Math.max(0, position - at), Math.max(0, span.end - at));
    at += chunk.length;
    if (at >= size) held = wanted;
    else if (wanted.length > 0) yield wanted;
    if (at >= span.end) break;
  }
  if (held === undefined) return;
  if (at !== size || hasher.digest() !== options.digest) {
    throw new RegistryError(
      'UPSTREAM_INVALID',
      `${options.repository.host} sent something else under ${options.digest}`,
    );
  }
  yield held;
}

/** The upstream's bytes from `from` to the end, asked for again where they break off. A closed range: such have a lane of their own, so that slow clients do not hold up downloads. */
async function* resumed(
  from: number,
  size: number,
  { upstream, repository, digest, retries }: AloneOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const persistence = new Persistence(retries, signal);
  for (let at = from; ;) {
    try {
      await using blob = await upstream.blob(repository, digest, { from: at, to: size - 1 });
      signal.addEventListener('abort', () => void blob[Symbol.asyncDispose](), { once: true });
      signal.throwIfAborted();
      for await (const chunk of blob.body) {
        at += chunk.length;
        persistence.progress();
        yield chunk;
      }
      return;
    } catch (error) {
      await persistence.recover(error);
    }
  }
}

import type { Span } from '../core/range.ts';
import type { Blob } from '../core/source.ts';
import type { Buffers } from './buffers.ts';
import { iterate, pour, type Reader, type See } from './stream.ts';

export interface StreamedOptions {
  readonly size: number;
  readonly span: Span;
  readonly reader: Reader;
  readonly buffers: Buffers;
  /** Sees all of it, in its order. */
  readonly see?: See | undefined;
  /** Settles when the end may be believed; throws when it may not. */
  readonly finished?: () => Promise<void>;
  /** Called once, when the blob is disposed. */
  readonly release: () => Promise<void>;
}

/** What a reader gives, as a blob. */
export function streamed(options: StreamedOptions): Blob {
  const { size, span, reader, buffers, see, finished = async () => {}, release } = options;
  let open = true;
  return {
    size,
    span,
    body: (async function* () {
      yield* iterate(reader, span, see);
      await finished();
    })(),
    pour: async (write) => {
      await pour(reader, span, buffers, write, see);
      await finished();
    },
    [Symbol.asyncDispose]: async () => {
      if (!open) return;
      open = false;
      await release();
    },
  };
}

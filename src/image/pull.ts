import { copy, type Copied, type CopyOptions } from './copy/copy.ts';
import { interrupted } from './copy/reading.ts';
import type { OpenedSink } from './opened.ts';

export interface TransferOptions extends Omit<CopyOptions, 'sink' | 'selection'> {
  readonly into: OpenedSink;
  readonly selection?: CopyOptions['selection'];
}

/**
 * Brings images here, by default those for this machine, and makes them visible when all of them are
 * whole. Sources that stand behind a cache (`contentCache`) fetch nothing twice.
 * @throws RegistryError as `copy` does, and STORAGE_UNAVAILABLE; nothing is visible then
 */
export async function pull({ into, ...options }: TransferOptions): Promise<Copied> {
  const copied = await copy({
    selection: { kind: 'one' },
    // Whoever runs the image needs every layer, and this is no place that hands them on.
    foreign: 'if-there',
    check: (manifest, name) => into.check?.(manifest, name),
    ...options,
    sink: into.sink,
  });
  await commit(into, options.signal);
  return copied;
}

/** Makes what was written visible. @throws RegistryError INTERRUPTED where the signal came first */
export async function commit(into: OpenedSink, signal: AbortSignal | undefined): Promise<void> {
  const check = (): void => {
    if (signal?.aborted === true) throw interrupted(signal);
  };
  check();
  try {
    await into.commit();
  } catch (error) {
    check();
    throw error;
  }
}

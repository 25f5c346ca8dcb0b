import { copy, type Copied } from './copy/copy.ts';
import { commit, type TransferOptions } from './pull.ts';

/**
 * Takes images somewhere else, by default whole: an index with every platform. What the target has
 * is not sent; layers that may not be handed on are not.
 * @throws RegistryError as `copy` does
 */
export async function push({ into, ...options }: TransferOptions): Promise<Copied> {
  const copied = await copy({
    selection: { kind: 'all' },
    check: (manifest, name) => into.check?.(manifest, name),
    ...options,
    sink: into.sink,
  });
  await commit(into, options.signal);
  return copied;
}

import type { FileHandle } from 'node:fs/promises';
import { RegistryError } from '../../core/errors.ts';
import type { Content } from './content.ts';

/** A file as content. Disposing closes it. */
export function fileContent(handle: FileHandle, name: string, size: number): Content {
  return {
    size,
    read: (position, into) => readAt(handle, name, position, into),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** @throws RegistryError STORAGE_UNAVAILABLE where it cannot be read, or has been cut short */
async function readAt(
  handle: FileHandle,
  name: string,
  position: number,
  into: Buffer,
): Promise<Uint8Array> {
  let bytesRead: number;
  try {
    ({ bytesRead } = await handle.read(into, 0, into.length, position));
  } catch (cause) {
    throw new RegistryError('STORAGE_UNAVAILABLE', `cannot read ${name}: ${String(cause)}`, {
      cause,
    });
  }
  if (bytesRead > 0 || into.length === 0) return into.subarray(0, bytesRead);
  throw new RegistryError('STORAGE_UNAVAILABLE', `${name} ends at byte ${position}, too early`);
}

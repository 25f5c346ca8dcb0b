import { lstat } from 'node:fs/promises';
import { RegistryError } from '../../core/errors.ts';
import { decompress } from '../../layer/decompress.ts';
import { walkTar } from '../../layer/tar.ts';
import { bytesOf, chunksOf, type Content } from '../archive/content.ts';
import { openFile } from '../archive/folder-files.ts';
import { checkLockSize, LARGEST_LOCK, LOCK_NAME, parseLock, type Lock } from './lock.ts';

/**
 * The lock in a file: the file itself, or that of a bundle, which is its first file.
 * @throws RegistryError NAME_UNKNOWN if there is no such file; MANIFEST_INVALID if it has no lock
 */
export async function readLock(file: string): Promise<Lock> {
  const content = await openFile(file);
  if (content === undefined) {
    const other = await lstat(file).catch(() => undefined);
    const why = other === undefined ? `there is no file ${file}` : `${file} is no regular file`;
    throw new RegistryError('NAME_UNKNOWN', why);
  }
  await using open = content;
  const first = await open.read(0, Buffer.alloc(1)).catch(() => Buffer.alloc(0));
  if (Buffer.from(first).toString() === '{') {
    return parseLock(await bytesOf(open, LARGEST_LOCK, file), file);
  }
  try {
    return await lockIn(open, file);
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'LAYER_INVALID') throw cause;
    throw noLock(file, cause);
  }
}

async function lockIn(content: Content, file: string): Promise<Lock> {
  await using input = await decompress(chunksOf(content));
  for await (const entry of walkTar(input.bytes)) {
    if (entry.name !== LOCK_NAME) break;
    checkLockSize(entry.size, `${file}, ${LOCK_NAME}`);
    const parts: Uint8Array[] = [];
    for await (const chunk of entry.content()) parts.push(Uint8Array.from(chunk));
    return parseLock(Buffer.concat(parts), `${file}, ${LOCK_NAME}`);
  }
  throw noLock(file);
}

function noLock(file: string, cause?: unknown): RegistryError {
  const message = `${file} is neither a lock nor a bundle that begins with one`;
  return new RegistryError('MANIFEST_INVALID', message, { cause });
}

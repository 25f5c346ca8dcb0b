import { lstat, opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError } from '../../core/errors.ts';
import { isGzip } from '../../layer/gzip.ts';
import { isZstd } from '../../layer/zstd.ts';
import type { Content } from '../archive/content.ts';
import { openFile } from '../archive/folder-files.ts';
import { notAnArchive } from '../archive/tar-files.ts';
import { padding, tarHeader, TRAILER } from '../archive/tar-write.ts';

/** Bytes read at a time. */
const CHUNK = 1024 * 1024;

/** Chunks in memory: the two that their reader may still have, and the one that is read ahead. */
const IN_USE = 3;

/** An archive as it is to be imported. */
export interface ArchiveBytes {
  /** Bytes to come, as far as they are known. */
  readonly size: number | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Whether chunks belong to whoever gets them, or may be read over once two more were asked for. */
export type Chunks = 'owned' | 'reused';

/**
 * The bytes of an archive; those of a folder as if it were packed. Compressed ones come in chunks that
 * are owned, whatever is wanted: who unpacks them holds on to them for a while.
 * @throws RegistryError NAME_UNKNOWN if there is nothing of that name, here or while it is read;
 *   MANIFEST_INVALID for a folder that is no layout
 */
export async function archiveBytes(name: string, wanted: Chunks = 'owned'): Promise<ArchiveBytes> {
  const found = await stat(name).catch(() => undefined);
  if (found?.isDirectory() === true) {
    await checkLayout(name);
    return { size: undefined, bytes: packed(name) };
  }
  await using content = await opened(name);
  return { size: content.size, bytes: fileBytes(name, wanted) };
}

/** Open from the first chunk that is asked for on, so that nobody has to close what was never read. */
async function* fileBytes(name: string, wanted: Chunks): AsyncGenerator<Uint8Array> {
  await using content = await opened(name);
  yield* chunks(content, (await isPlain(content)) ? wanted : 'owned');
}

/** @throws RegistryError NAME_UNKNOWN */
async function opened(name: string): Promise<Content> {
  const content = await openFile(name);
  if (content !== undefined) return content;
  const other = await lstat(name).catch(() => undefined);
  const why = other === undefined ? `there is no file ${name}` : `${name} is no regular file`;
  throw new RegistryError('NAME_UNKNOWN', why);
}

/** Before its files are stored, one after the other, to find at the end that they are no image. */
async function checkLayout(folder: string): Promise<void> {
  for (const name of ['index.json', 'manifest.json']) {
    const found = await lstat(path.join(folder, name)).catch(() => undefined);
    if (found?.isFile() === true) return;
  }
  throw notAnArchive(folder, 'it has neither an index.json nor a manifest.json');
}

/** Everything in it that is a file: what is no part of a layout is of no consequence. */
async function* packed(folder: string): AsyncGenerator<Uint8Array> {
  for await (const entry of await opendir(folder, { recursive: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file).split(path.sep).join('/');
    // A lock that is being written, and what is left of a download.
    if (!entry.isFile() || entry.name.startsWith('.')) continue;
    await using content = await openFile(file);
    if (content === undefined) continue;
    const { size } = content;
    yield tarHeader({ name, size });
    yield* chunks(content);
    yield Buffer.alloc(padding(size));
  }
  yield TRAILER;
}

async function isPlain(content: Content): Promise<boolean> {
  if (content.size < 4) return true;
  const start = await content.read(0, Buffer.alloc(4));
  return !isGzip(start) && !isZstd(start);
}

async function* chunks(content: Content, wanted: Chunks = 'owned'): AsyncGenerator<Uint8Array> {
  const { size } = content;
  const buffers: Buffer[] = [];
  const read = (position: number): Promise<Uint8Array> => {
    const length = Math.min(CHUNK, size - position);
    // Megabytes that are allocated and dropped cost more in collecting them than in reading them.
    const spare = buffers.length === IN_USE ? buffers.shift() : undefined;
    const into = spare ?? Buffer.allocUnsafeSlow(Math.min(CHUNK, size));
    if (wanted === 'reused') buffers.push(into);
    return content.read(position, into.subarray(0, length));
  };
  if (size === 0) return;
  let position = 0;
  let next = read(0);
  try {
    while (position < size) {
      const chunk = await next;
      position += chunk.length;
      // Ahead of whoever takes it, by one.
      if (position < size) next = read(position);
      // Whoever comes for it learns of a failure; until then nobody has to.
      next.catch(() => {});
      yield chunk;
    }
  } finally {
    await next.catch(() => {});
  }
}

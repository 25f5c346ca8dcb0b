import { randomUUID } from 'node:crypto';
import { open, rm, statfs, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { decompress } from '../../layer/decompress.ts';
import { chunksOf, type Content } from './content.ts';
import { fileContent } from './file-content.ts';
import { notAnArchive } from './tar-files.ts';
import { makeFolder } from '../../store/make-folder.ts';

export interface UnpackOptions {
  /** The folder for what a compressed archive unpacks to; beside the archive when left out. */
  readonly scratch?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of the room that is free, the part that may be taken. */
const SHARE = 0.9;

/**
 * The archive as it is when plain; unpacked otherwise, in one pass, to a file without a name that is
 * gone when disposed, however the process ends. Owns the content.
 * @throws RegistryError MANIFEST_INVALID for damaged data; STORAGE_UNAVAILABLE where there is no room
 */
export async function plain(
  content: Content,
  name: string,
  options: UnpackOptions = {},
): Promise<Content> {
  let unpacked: Content | undefined;
  try {
    await using input = await decompress(chunksOf(content));
    if (input.compression === 'none') return content;
    unpacked = await unpack(input.bytes, name, options);
  } catch (cause) {
    await content[Symbol.asyncDispose]();
    if (!(cause instanceof RegistryError) || cause.code !== 'LAYER_INVALID') throw cause;
    throw notAnArchive(name, `it cannot be unpacked: ${cause.message}`, cause);
  }
  await content[Symbol.asyncDispose]();
  return unpacked;
}

async function unpack(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  { scratch, signal }: UnpackOptions,
): Promise<Content> {
  const { handle, folder } = await nameless(scratch, path.dirname(name));
  try {
    const { bavail, bsize } = await statfs(folder);
    const most = Math.floor(bavail * bsize * SHARE);
    let size = 0;
    for await (const chunk of bytes) {
      signal?.throwIfAborted();
      if (size + chunk.length > most) throw noRoom(name);
      for (let done = 0; done < chunk.length;) {
        done += (await handle.write(chunk, done, chunk.length - done, size + done)).bytesWritten;
      }
      size += chunk.length;
    }
    return fileContent(handle, name, size);
  } catch (cause) {
    await handle.close();
    const code = systemCode(cause);
    throw code === 'ENOSPC' || code === 'EDQUOT' ? noRoom(name, cause) : cause;
  }
}

interface Nameless {
  readonly handle: FileHandle;
  readonly folder: string;
}

/** In the given folder, or beside the archive, or, where that is read-only, among the temporary files. */
async function nameless(scratch: string | undefined, beside: string): Promise<Nameless> {
  if (scratch !== undefined) {
    await makeFolder(scratch);
    return openNameless(scratch);
  }
  try {
    return await openNameless(beside);
  } catch {
    return openNameless(tmpdir());
  }
}

/** A file to be read and written, which is gone when it is closed, however the process ends. @throws Error of Node */
export async function openNameless(folder: string): Promise<Nameless> {
  const name = path.join(folder, `.layover-${randomUUID()}`);
  const handle = await open(name, 'wx+', 0o600);
  await rm(name);
  return { handle, folder };
}

function noRoom(name: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'STORAGE_UNAVAILABLE',
    `${name} is compressed, and there is no room to unpack it`,
    { cause },
  );
}

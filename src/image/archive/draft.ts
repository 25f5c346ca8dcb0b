import { constants, write } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { systemCode } from '../../core/errors.ts';
import type { Write } from '../../core/source.ts';
import { syncFolder } from '../../store/durable.ts';
import { spotFor } from '../spot.ts';
import { openNameless } from './unpack.ts';
import type { Target } from './target.ts';
import { WriteBack } from './write-back.ts';

/** Where a file grows until it is whole. Disposed unpublished it leaves nothing. */
export interface Draft extends AsyncDisposable {
  readonly handle: FileHandle;
  /** What people call the place where it grows. */
  readonly name: string;
  /** So many more bytes have been written. */
  wrote(bytes: number): void;
  /** Brings what was written to the target; the handle is of no more use then. */
  publish(): Promise<void>;
}

export interface DraftOptions {
  /** Where standard output takes bytes; its descriptor itself if left out. */
  readonly stdout?: Write | undefined;
  /** Ends what is on its way to a reader that stands still. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes read at a time. */
const CHUNK = 256 * 1024;

/** Milliseconds until a pipe that nobody reads is tried again. */
const UNREAD = 20;

/** Milliseconds until a pipe that is full is tried again. */
const FULL = 5;

/**
 * Beside a file, where it appears at once. What goes into a pipe or a device cannot be taken back, so
 * it grows without a name among the temporary files and goes there when it is whole.
 * @throws Error of Node
 */
export async function draftOf(target: Target, options: DraftOptions): Promise<Draft> {
  return target.kind === 'file' ? await beside(target.path) : await aside(target, options);
}

async function beside(target: string): Promise<Draft> {
  const folder = path.dirname(target);
  await using stack = new AsyncDisposableStack();
  const spot = stack.use(await spotFor(folder, path.basename(target)));
  const handle = await open(spot.name, 'wx');
  // Once it is published there is nothing left to remove.
  stack.defer(() => rm(spot.name, { force: true }));
  stack.defer(() => handle.close());
  const writeBack = new WriteBack(handle);
  stack.defer(() => writeBack.stop());
  const held = stack.move();
  return {
    handle,
    name: target,
    wrote: (bytes) => writeBack.wrote(bytes),
    async publish() {
      await writeBack.finish();
      await handle.close();
      await rename(spot.name, target);
      await syncFolder(folder);
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function aside(
  target: Exclude<Target, { kind: 'file' }>,
  options: DraftOptions,
): Promise<Draft> {
  const folder = tmpdir();
  const { handle } = await openNameless(folder);
  return {
    handle,
    name: `into ${folder} (TMPDIR names another folder)`,
    wrote() {},
    async publish() {
      await using way = await wayTo(target, options);
      for (let position = 0; ;) {
        options.signal?.throwIfAborted();
        // Standard output may keep what it is given for a while.
        const into = Buffer.allocUnsafe(CHUNK);
        const { bytesRead } = await handle.read(into, 0, CHUNK, position);
        if (bytesRead === 0) break;
        await way.write(into.subarray(0, bytesRead));
        position += bytesRead;
      }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

interface Way extends AsyncDisposable {
  readonly write: Write;
}

async function wayTo(
  target: Exclude<Target, { kind: 'file' }>,
  { stdout, signal }: DraftOptions,
): Promise<Way> {
  if (target.kind === 'descriptor') {
    const { number } = target;
    if (number === 1 && stdout !== undefined) return { write: stdout, ...staysOpen };
    return { write: (chunk) => writeAll(number, chunk, signal), ...staysOpen };
  }
  const handle = await openStream(target.path, signal);
  return {
    write: (chunk) => writeAll(handle.fd, chunk, signal),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Waits until somebody reads a pipe in a way that can be interrupted, as the system's own cannot. */
async function openStream(place: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  for (;;) {
    try {
      await using _reader = await open(place, constants.O_WRONLY | constants.O_NONBLOCK);
      return await open(place, 'w');
    } catch (error) {
      if (systemCode(error) !== 'ENXIO') throw error;
      await delay(UNREAD, undefined, { signal });
    }
  }
}

const staysOpen: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };

const writeTo = promisify(write);

async function writeAll(
  descriptor: number,
  chunk: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    signal?.throwIfAborted();
    try {
      const { bytesWritten } = await writeTo(
        descriptor,
        chunk,
        done,
        chunk.length - done,
        undefined,
      );
      done += bytesWritten;
    } catch (error) {
      // Somebody else, such as Node itself, made the pipe one that does not wait.
      if (systemCode(error) !== 'EAGAIN') throw error;
      await delay(FULL, undefined, { signal });
    }
  }
}

import { constants, open as openCallback } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { promisify } from 'node:util';
import { asError, RegistryError } from '../../core/errors.ts';

const open = promisify(openCallback);

/** Whether the name leads to a pipe, such as `/dev/fd/63` of a shell. */
export async function isPipe(name: string): Promise<boolean> {
  return await stat(name).then(
    (found) => found.isFIFO(),
    () => false,
  );
}

/**
 * What comes out of a pipe, up to its end. Open from the first chunk that is asked for on; where nobody has
 * it open to write yet, that is waited for.
 * @throws RegistryError STORAGE_UNAVAILABLE; the reason of the signal, once it is aborted
 */
export async function* pipeBytes(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  try {
    // Neither the opening nor a read may keep a thread that nobody can call back.
    const fd = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: true, writable: false });
    for await (const chunk of addAbortSignal(signal, socket)) yield chunk as Uint8Array;
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof RegistryError) throw cause;
    const message = `cannot read ${name}: ${asError(cause).message}`;
    throw new RegistryError('STORAGE_UNAVAILABLE', message, { cause });
  }
}

import type { Algorithm } from './digest.ts';
import { HashThread } from './hash-thread.ts';
import { hashHere, type RunningHash } from './running-hash.ts';

/** Bytes: a few milliseconds of hashing, below which handing over is not worth it. */
const WORTH_A_THREAD = 8 * 1024 * 1024;

let shared: HashThread | undefined;

/**
 * For content of `size` bytes: much of it is hashed on a thread of its own, which all of the process share.
 * Where threads cannot be started, such as under a limit of their number, there is still this one.
 */
export function runningHash(algorithm: Algorithm, size: number): RunningHash {
  if (size < WORTH_A_THREAD) return hashHere(algorithm);
  return prepareHashing()?.begin(algorithm) ?? hashHere(algorithm);
}

/** Starts the thread, so that nobody has to wait for that later; `undefined` where there can be none. */
export function prepareHashing(): HashThread | undefined {
  if (shared?.ended === true && shared.worked) shared = undefined;
  shared ??= new HashThread();
  return shared.ended ? undefined : shared;
}

import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { Asked } from './hash-thread.ts';

/** What runs in the thread of `HashThread`: answers each message by one, in their order. */
const hashes = new Map<number, Hash>();

parentPort?.on('message', (asked: Asked) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(answerTo(asked));
});

function answerTo(asked: Asked): string {
  switch (asked.type) {
    case 'begin':
      hashes.set(asked.id, createHash(asked.algorithm));
      return '';
    case 'update':
      hashOf(asked.id).update(asked.bytes);
      return '';
    case 'digest':
      return hashOf(asked.id).copy().digest('hex');
    case 'end':
      hashes.delete(asked.id);
      return '';
  }
}

/** A defect ends the thread, and whoever waits for it is told. */
function hashOf(id: number): Hash {
  const hash = hashes.get(id);
  if (hash === undefined) throw new Error(`there is no hash ${id}`);
  return hash;
}

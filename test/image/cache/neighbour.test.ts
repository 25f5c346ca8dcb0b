import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { neighbour, NeighbourLost } from '../../../src/image/cache/neighbour.ts';
import { Buffers } from '../../../src/store/buffers.ts';
import { collect } from '../../fixtures/collect.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const CHUNKS = 40;
const PATIENCE = 200;

/** Follows a file that a chunk is added to every now and then. */
async function followed(chunk: number): Promise<Buffer> {
  await using folder = await temporaryFolder();
  const name = path.join(folder.path, 'partial');
  await writeFile(name, '');
  const stop = new AbortController();
  const writing = (async () => {
    for (let count = 0; count < CHUNKS && !stop.signal.aborted; count += 1) {
      await delay(50);
      await appendFile(name, Buffer.alloc(chunk, count));
    }
  })();
  try {
    const gone = (): boolean => false;
    const buffers = new Buffers();
    const found = await neighbour({ name, gone, patience: PATIENCE, buffers });
    assert.ok(found !== undefined);
    await using blob = found.follow(0, CHUNKS * chunk);
    return await collect(blob.body);
  } finally {
    stop.abort();
    await writing;
  }
}

test('a neighbour that gives a byte every now and then stands still', async () => {
  await assert.rejects(followed(1), (error) => {
    return error instanceof NeighbourLost && error.reason === 'stalled';
  });
});

test('one that is not fast, and comes on, is followed to its end', async () => {
  assert.equal((await followed(64 * 1024)).length, CHUNKS * 64 * 1024);
});

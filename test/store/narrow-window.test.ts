import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { digestOf } from '../../src/core/digest.ts';
import { Buffers } from '../../src/store/buffers.ts';
import { DiskIngest } from '../../src/store/disk-ingest.ts';
import { pattern } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

test('what cannot be stored waits for its reader once as much is in memory as was said', async () => {
  await using folder = await temporaryFolder();
  const bytes = pattern(6_000_000);
  await using ingest = await DiskIngest.open({
    digest: digestOf(bytes),
    growing: path.join(folder.path, 'growing'),
    final: path.join(folder.path, 'final'),
    leftover: 'removed',
    buffers: new Buffers(),
    window: 500_000,
    claim: async () => undefined,
    use: { [Symbol.dispose]() {} },
    onError() {},
    onStored() {},
    onCommitted() {},
    onClosed() {},
  });
  await ingest.expect(bytes.length);
  await using blob = ingest.read();
  const reader = blob.body[Symbol.asyncIterator]();
  let written = 0;
  const writing = (async () => {
    for (let at = 0; at < bytes.length; at += 100_000) {
      await ingest.write(bytes.subarray(at, at + 100_000));
      written = at + 100_000;
    }
    await ingest.commit();
  })();
  for (let turns = 0; turns < 200; turns += 1) await turn();
  assert.ok(written >= 400_000 && written <= 2_000_000, `${written}`);
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { value, done } = await reader.next();
    if (done === true) break;
    chunks.push(Uint8Array.from(value));
  }
  await writing;
  assert.ok(Buffer.concat(chunks).equals(bytes));
});

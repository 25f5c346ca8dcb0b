import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { archiveBytes } from '../../../src/image/bundle/archive-bytes.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const CONTENT = randomBytes(9 * 1024 * 1024 + 5);

interface Held {
  readonly chunk: Uint8Array;
  readonly copy: Buffer;
}

for (const wanted of ['reused', 'owned'] as const) {
  test(`chunks that are ${wanted} stay as they are while the next one is asked for and used`, async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'archive.tar');
    await writeFile(file, CONTENT);
    const { size, bytes } = await archiveBytes(file, wanted);
    assert.equal(size, CONTENT.length);
    const got: Buffer[] = [];
    let before: Held | undefined;
    for await (const chunk of bytes) {
      const copy = Buffer.from(chunk);
      // Time for what is read ahead to arrive where it should not.
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      for (const held of [before, { chunk, copy }])
        assert.ok(held?.copy.equals(held.chunk) ?? true);
      before = { chunk, copy };
      got.push(copy);
    }
    assert.ok(got.length > 5);
    assert.ok(Buffer.concat(got).equals(CONTENT));
  });
}

test('compressed archives come in chunks that are owned, whatever is wanted', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'archive.tar.gz');
  const compressed = gzipSync(CONTENT, { level: 1 });
  await writeFile(file, compressed);
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await archiveBytes(file, 'reused')).bytes) chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(compressed));
});

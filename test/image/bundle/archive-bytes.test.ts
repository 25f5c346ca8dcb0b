import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { archiveBytes } from '../../../src/image/bundle/archive-bytes.ts';
import { timesOpen } from '../../fixtures/open-files.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from '../archive/source-contract.ts';

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

suite(
  'an archive is open for as long as it is read',
  { skip: process.platform !== 'linux' },
  () => {
    const opened = async () => {
      const folder = await temporaryFolder();
      const file = path.join(folder.path, 'archive.tar');
      await writeFile(file, CONTENT);
      const dispose = () => folder[Symbol.asyncDispose]();
      return { file, archive: await archiveBytes(file, 'reused'), [Symbol.asyncDispose]: dispose };
    };

    test('and not before', async () => {
      await using one = await opened();
      assert.equal(one.archive.size, CONTENT.length);
      assert.equal(await timesOpen(one.file), 0);
      await one.archive.bytes[Symbol.asyncIterator]().return?.();
      assert.equal(await timesOpen(one.file), 0);
    });

    test('whether it is read to its end or not', async () => {
      await using one = await opened();
      for await (const _ of one.archive.bytes) assert.equal(await timesOpen(one.file), 1);
      assert.equal(await timesOpen(one.file), 0);
      for await (const _ of (await archiveBytes(one.file)).bytes) break;
      assert.equal(await timesOpen(one.file), 0);
    });

    test('nor when what is read ahead fails before anybody comes for it', async () => {
      await using one = await opened();
      const bytes = one.archive.bytes[Symbol.asyncIterator]();
      await bytes.next();
      await truncate(one.file, 10);
      // A failure that nobody listens to ends the process, and so this test.
      await assert.rejects(async () => {
        while ((await bytes.next()).done !== true) {
          for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
        }
      });
      assert.equal(await timesOpen(one.file), 0);
    });

    test('nor once it cannot be', async () => {
      await using one = await opened();
      const bytes = one.archive.bytes[Symbol.asyncIterator]();
      await bytes.next();
      await truncate(one.file, 10);
      await assert.rejects(async () => {
        while ((await bytes.next()).done !== true);
      });
      assert.equal(await timesOpen(one.file), 0);
      const { bytes: gone } = await archiveBytes(one.file);
      await rm(one.file);
      await assert.rejects(
        async () => {
          for await (const _ of gone);
        },
        failsWith('NAME_UNKNOWN', /archive\.tar/),
      );
    });
  },
);

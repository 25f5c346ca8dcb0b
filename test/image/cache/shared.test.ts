import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../../src/core/digest.ts';
import { contentCache } from '../../../src/image/cache/cached.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { REPOSITORY } from '../image-world.ts';
import { fetcher as fetcherOf, type Fetcher } from './fetcher.ts';

const CHUNK = 64 * 1024;
const SIZE = 24 * CHUNK;
const HANG = 8 * CHUNK;
const BYTES = pattern(SIZE);
const DIGEST = digestOf(BYTES);

function fetcher(folder: string, hangAt = -1): Fetcher {
  return fetcherOf({ folder, size: SIZE, hangAt });
}

function world() {
  const source = new MemorySource();
  source.putBlob(REPOSITORY, BYTES);
  const positions: number[] = [];
  source.behave({ before: (position) => void positions.push(position) });
  return { source, positions };
}

test('a killed process has its partial file continued by the next one', async () => {
  await using folder = await temporaryFolder();
  {
    await using child = fetcher(folder.path, HANG);
    await child.told('read', (read) => read === HANG);
    await child.kill();
  }
  const { source, positions } = world();
  await using cache = contentCache({ folder: folder.path, maxSize: 2 ** 40 });
  await using blob = await cache.over(source).blob(REPOSITORY, DIGEST);
  assert.equal(blob.local, HANG);
  assert.ok((await collect(blob.body)).equals(BYTES));
  assert.equal(positions[0], HANG);
});

test('of several processes one takes the orphan over', async () => {
  await using folder = await temporaryFolder();
  {
    await using child = fetcher(folder.path, HANG);
    await child.told('read', (read) => read === HANG);
  }
  await using stack = new AsyncDisposableStack();
  const children = [1, 2, 3].map(() => stack.use(fetcher(folder.path, 2 * HANG)));
  const local = await Promise.all(children.map((child) => child.told('local')));
  assert.deepEqual(
    local.toSorted((a, b) => a - b),
    [0, 0, HANG],
  );
  for (const { process } of children) process.send('go on');
  const done = await Promise.all(children.map((child) => child.told('done')));
  assert.deepEqual(
    done.map(({ digest }) => digest),
    [DIGEST, DIGEST, DIGEST],
  );
});

test('processes that end leave nothing behind', async () => {
  await using folder = await temporaryFolder();
  {
    await using stack = new AsyncDisposableStack();
    const children = [1, 2, 3].map(() => stack.use(fetcher(folder.path)));
    await Promise.all(children.map((child) => once(child.process, 'exit')));
  }
  const left = await readdir(folder.path, { recursive: true });
  const hex = DIGEST.slice('sha256:'.length);
  assert.deepEqual(
    left.filter((name) => name.startsWith('partial/')),
    [],
  );
  assert.deepEqual(
    left.filter((name) => name.startsWith('owners/')),
    [],
  );
  assert.ok(left.includes(path.join('blobs', 'sha256', hex)));
});

test('a partial file of other bytes is noticed, and the next attempt is right', async () => {
  await using folder = await temporaryFolder();
  {
    await using child = fetcher(folder.path, HANG);
    await child.told('read', (read) => read === HANG);
  }
  const partials = path.join(folder.path, 'partial');
  const [name = ''] = await readdir(partials);
  await writeFile(path.join(partials, name), pattern(HANG, 9));
  const { source } = world();
  await using cache = contentCache({ folder: folder.path, maxSize: 2 ** 40 });
  {
    await using wrong = await cache.over(source).blob(REPOSITORY, DIGEST);
    await assert.rejects(collect(wrong.body));
  }
  await using right = await cache.over(source).blob(REPOSITORY, DIGEST);
  assert.equal(right.local, 0);
  assert.ok((await collect(right.body)).equals(BYTES));
});

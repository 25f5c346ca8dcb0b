import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import { Usage } from '../../src/store/usage.ts';
import { pattern } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

test('what is stored is counted once, whether it was there, comes, or goes while it counts', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const usage = new Usage(paths);
  const put = async (usage: Usage, seed: number) => {
    const store = await diskStore({
      paths,
      onStored: (digest, size) => usage.stored(digest, size),
      onRemoved: (_digest, size) => usage.removed(size),
    });
    const bytes = pattern(1000, seed);
    await using ingest = await store.ingest(digestOf(bytes));
    await ingest.expect(bytes.length);
    await ingest.write(bytes);
    await ingest.commit();
    return { store, digest: digestOf(bytes) };
  };
  for (let seed = 1; seed <= 20; seed += 1) await put(new Usage(paths), seed);
  const { signal } = new AbortController();
  const counting = usage.count(signal);
  const { store, digest } = await put(usage, 21);
  await put(usage, 22);
  await store.remove(digest);
  await store.remove(digestOf(pattern(1000, 3)));
  await counting;
  const { usedBytes, objects } = await usage.figures();
  assert.deepEqual({ usedBytes, objects }, { usedBytes: 20_000, objects: 20 });
  await store.remove(digestOf(pattern(1000, 4)));
  assert.equal((await usage.figures()).objects, 19);
});

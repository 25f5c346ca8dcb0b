import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Download } from '../../src/store/download.ts';
import { Paths } from '../../src/store/paths.ts';
import type { Ingest } from '../../src/store/store.ts';
import { MemorySource } from '../fixtures/memory-source.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const repository = { host: 'docker.io', path: 'library/app' };

/** How a download ends whose content cannot be committed for that reason. */
async function ending(reason: Error): Promise<unknown> {
  await using folder = await temporaryFolder();
  const upstream = new MemorySource();
  const digest = upstream.putBlob(repository, Buffer.from('content'));
  const store = await diskStore({ paths: new Paths(folder.path) });
  const failing = async (): Promise<Ingest> => {
    const ingest = await store.ingest(digest);
    return Object.assign(ingest, { commit: () => Promise.reject(reason) });
  };
  const download = new Download({
    origin: { repository, upstream },
    digest,
    store: { ingest: failing },
    retries: 0,
    abandonAfter: 0,
    onDone: async () => {},
  });
  const [ran, read] = await Promise.allSettled([
    download.run(),
    download.read().then((blob) => blob[Symbol.asyncDispose]()),
  ]);
  assert.equal(read.status, 'fulfilled');
  return ran.status === 'rejected' ? ran.reason : undefined;
}

test('an upstream is blamed for wrong bytes, and for nothing that is wrong here', async () => {
  const wrong = await ending(new RegistryError('DIGEST_INVALID', 'what came is another'));
  assert.ok(wrong instanceof RegistryError);
  assert.equal(wrong.code, 'UPSTREAM_INVALID');
  for (const reason of [
    new RegistryError('UNKNOWN', 'the thread that hashes content has ended'),
    new RegistryError('STORAGE_UNAVAILABLE', 'it cannot be read'),
  ]) {
    assert.equal(await ending(reason), reason);
  }
});

test('nothing is no content of a digest that is of something', async () => {
  await using folder = await temporaryFolder();
  const upstream = new MemorySource();
  const digest = upstream.putBlob(repository, Buffer.from('content'));
  const nothing = upstream.putBlob(repository, new Uint8Array());
  const open = upstream.blob.bind(upstream);
  upstream.blob = (where) => open(where, nothing);
  const store = await diskStore({ paths: new Paths(folder.path) });
  const about = { origin: { repository, upstream }, store, retries: 3, abandonAfter: 0 };
  const download = new Download({ ...about, digest, onDone: async () => {} });
  const [ran, read] = await Promise.allSettled([download.run(), download.read()]);
  for (const end of [ran, read]) {
    assert.ok(end.status === 'rejected' && end.reason instanceof RegistryError);
    assert.equal(end.reason.code, 'UPSTREAM_INVALID');
  }
  assert.equal(upstream.open, 0);
  const empty = new Download({ ...about, digest: nothing, onDone: async () => {} });
  assert.equal(await empty.run(), true);
});

import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, chmod } from 'node:fs/promises';
import { test } from 'node:test';
import { parseTag } from '../../src/core/reference.ts';
import { openStore, storedRepositories } from '../../src/image/store-source.ts';
import { diskStore } from '../../src/store/disk.ts';
import { diskLinks } from '../../src/store/links.ts';
import { lockStore } from '../../src/store/lock.ts';
import { Paths } from '../../src/store/paths.ts';
import { confirmed, diskTags } from '../../src/store/tags.ts';
import { buildImage, type BuiltImage } from '../fixtures/image-builder.ts';
import { file } from '../fixtures/layer-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../fixtures/temporary.ts';
import { failsWith } from './archive/source-contract.ts';

const TAG = parseTag('latest');

/** A mirror's store with one image in it. */
async function stored(): Promise<{ folder: TemporaryFolder; paths: Paths; built: BuiltImage }> {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const built = buildImage([[file('etc/hosts', 'hello')]]);
  const store = await diskStore({ paths });
  const links = diskLinks(paths);
  const put = async (
    { digest, size }: { digest: typeof built.config.digest; size: number },
    bytes: AsyncIterable<Uint8Array>,
  ) => {
    await using ingest = await store.ingest(digest);
    await ingest.expect(size);
    for await (const chunk of bytes) await ingest.write(chunk);
    await ingest.commit();
    await links.set(built.repository, digest, { size });
  };
  for (const descriptor of [built.config, ...built.layers]) {
    await using blob = await built.source.blob(built.repository, descriptor.digest);
    await put(descriptor, blob.body);
  }
  const { descriptor, bytes } = built.manifest;
  await put(
    descriptor,
    (async function* () {
      yield bytes;
    })(),
  );
  await diskTags(paths).set(built.repository, TAG, confirmed(undefined, descriptor, 1));
  return { folder, paths, built };
}

test('a store that a mirror serves at the moment is read all the same', async () => {
  const { folder, paths, built } = await stored();
  await using _ = folder;
  using __ = lockStore(paths, { pid: process.pid, admin: 'nowhere' });
  await using opened = await openStore(folder.path, { repository: built.repository, at: TAG });
  const { descriptor } = await opened.source.resolve(opened.repository, opened.at);
  assert.deepEqual(descriptor, built.manifest.descriptor);
  assert.deepEqual(await storedRepositories(folder.path), [built.repository]);
});

test('what is not in the store, and what is', async () => {
  const { folder, built } = await stored();
  await using _ = folder;
  const elsewhere = { host: 'quay.io', path: 'a/b' };
  const { source } = await openStore(folder.path, { repository: elsewhere, at: TAG });
  await assert.rejects(
    source.manifest(elsewhere, TAG),
    failsWith('NAME_UNKNOWN', /example\.test\/library\/app/),
  );
  await assert.rejects(
    source.manifest(built.repository, parseTag('other')),
    failsWith('MANIFEST_UNKNOWN', /library\/app:other/),
  );
});

test('content of the wrong size is an error, and stays where it is', async () => {
  const { folder, paths, built } = await stored();
  await using _ = folder;
  const [layer] = built.layers;
  assert.ok(layer);
  await chmod(paths.blob(layer.digest), 0o600);
  await truncate(paths.blob(layer.digest), 10);
  const { source } = await openStore(folder.path, { repository: built.repository, at: TAG });
  await assert.rejects(source.stat(built.repository, layer.digest), failsWith('DIGEST_INVALID'));
  await assert.rejects(
    source.blob(built.repository, layer.digest, { last: 1 }),
    failsWith('DIGEST_INVALID', /damaged/),
  );
  assert.equal((await readFile(paths.blob(layer.digest))).length, 10);
  assert.ok(!(await readdir(folder.path)).includes('damaged'));
});

test('a folder that is no store', async () => {
  await using folder = await temporaryFolder();
  const reference = { repository: { host: 'a.b', path: 'c' }, at: TAG };
  await assert.rejects(openStore(folder.path, reference), failsWith('NAME_UNKNOWN', /no store/));
  await rm(folder.path, { recursive: true });
  await assert.rejects(openStore(folder.path, reference), failsWith('NAME_UNKNOWN', /no store/));
});

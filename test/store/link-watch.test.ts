import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { diskLinks, type WatchableLinks } from '../../src/store/links.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const repository = { host: 'docker.io', path: 'library/x' };
const digest = digestOf(Buffer.from('linked'));
const later = digestOf(Buffer.from('linked later'));

function watched(links: WatchableLinks) {
  const told = new Set<Digest>();
  const watching = links.watch((one) => told.add(one));
  return { told, [Symbol.dispose]: () => watching[Symbol.dispose]() };
}

test('whoever looks through links is told of those on their way, and of those that come', async () => {
  await using folder = await temporaryFolder();
  const links = diskLinks(new Paths(folder.path));
  using before = watched(links);
  const setting = links.set(repository, digest, { size: 1 });
  const during = watched(links);
  for (const { told } of [before, during]) {
    assert.deepEqual(told, new Set([digest]), 'before the file is there');
  }
  await setting;
  using after = watched(links);
  assert.deepEqual(after.told, new Set(), 'it is on the disk');
  during[Symbol.dispose]();
  const second = links.set(repository, later, { size: 1 });
  assert.deepEqual(before.told, new Set([digest, later]));
  assert.deepEqual(during.told, new Set([digest]), 'looks no more');
  assert.deepEqual(after.told, new Set([later]));
  await second;
});

test('a link that could not be written is on its way no more', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const links = diskLinks(paths);
  await mkdir(paths.repositories, { recursive: true });
  await writeFile(path.join(paths.repositories, repository.host), 'no folder');
  await assert.rejects(links.set(repository, digest, { size: 1 }));
  using during = watched(links);
  assert.deepEqual(during.told, new Set());
});

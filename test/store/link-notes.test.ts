import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { diskLinks } from '../../src/store/links.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const repository = { host: 'docker.io', path: 'library/x' };
const digest = digestOf(Buffer.from('linked'));
const other = digestOf(Buffer.from('not linked'));

test('whoever looks through links is told of those on their way, and of those that come', async () => {
  await using folder = await temporaryFolder();
  const links = diskLinks(new Paths(folder.path));
  using before = links.note();
  assert.equal(before.has(digest), false);
  const setting = links.set(repository, digest, { size: 1 });
  using during = links.note();
  for (const notes of [before, during]) {
    assert.ok(notes.has(digest), 'before the file is there');
    assert.equal(notes.has(other), false);
  }
  await setting;
  using after = links.note();
  assert.equal(after.has(digest), false, 'it is on the disk');
  for (const notes of [before, during]) assert.ok(notes.has(digest));
  await links.set(repository, other, { size: 1 });
  for (const notes of [before, during, after]) assert.ok(notes.has(other));
});

test('a link that could not be written is on its way no more', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const links = diskLinks(paths);
  await mkdir(paths.repositories, { recursive: true });
  await writeFile(paths.links(repository).split('/docker.io')[0] + '/docker.io', 'no folder');
  await assert.rejects(links.set(repository, digest, { size: 1 }));
  using notes = links.note();
  assert.equal(notes.has(digest), false);
});

import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import { repositories } from '../../src/store/catalog.ts';
import { diskLinks } from '../../src/store/links.ts';
import { Paths } from '../../src/store/paths.ts';
import { diskReferrers } from '../../src/store/referrers.ts';
import {
  askedAt,
  confirmed,
  diskTags,
  gone,
  parseTagRecord,
  type NamedTag,
} from '../../src/store/tags.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const repository = { host: 'localhost:5000', path: 'team/app' };
const tag = parseTag('V1');

function descriptor(content: string): Descriptor {
  const bytes = Buffer.from(content);
  return { mediaType: 'application/x', digest: digestOf(bytes), size: bytes.length };
}

test('a tag keeps its meanings: what, first seen, last seen', async () => {
  await using folder = await temporaryFolder();
  const tags = diskTags(new Paths(folder.path));
  const [a, b] = [descriptor('a'), descriptor('b')];
  let record = confirmed(undefined, a, 1000);
  record = confirmed(record, a, 2000);
  record = confirmed(record, b, 3000);
  record = confirmed(record, a, 4000);
  await tags.set(repository, tag, record);
  const read = await diskTags(new Paths(folder.path)).get(repository, tag);
  assert.deepEqual(read, {
    descriptor: a,
    firstSeen: 4000,
    checkedAt: 4000,
    history: [
      { digest: b.digest, firstSeen: 3000, lastSeen: 3000 },
      { digest: a.digest, firstSeen: 1000, lastSeen: 2000 },
    ],
  });
});

test('a tag that was gone keeps when it was seen last, also as earlier releases wrote it', () => {
  const [a, b] = [descriptor('a'), descriptor('b')];
  const away = gone(gone(confirmed(undefined, a, 1000), 2000), 3000);
  assert.deepEqual(
    [away.checkedAt, away.goneSince, askedAt(away, 9000), askedAt(away, 2999)],
    [1000, 2000, 3000, 0],
  );
  assert.equal(confirmed(away, b, 4000).history[0]?.lastSeen, 1000);
  const { askedAt: _asked, ...earlier } = { ...away, checkedAt: 3000 };
  assert.equal(confirmed(earlier, b, 4000).history[0]?.lastSeen, 2000);
  const back = confirmed(away, a, 4000);
  assert.deepEqual(back, { descriptor: a, firstSeen: 1000, checkedAt: 4000, history: [] });
  assert.deepEqual(parseTagRecord(JSON.parse(JSON.stringify(away))), away);
});

test('what is made of a record is made of the last one, and not remembered where it cannot be written', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const tags = diskTags(paths);
  const meanings = Array.from({ length: 20 }, (_, at) => descriptor(String(at)));
  await Promise.all(
    meanings.map((meaning, at) =>
      tags.update(repository, tag, (record) => confirmed(record, meaning, at)),
    ),
  );
  assert.equal((await tags.get(repository, tag))?.history.length, 19);
  await tags.update(repository, tag, () => undefined);
  const record = await tags.get(repository, tag);
  assert.equal(record?.checkedAt, 19);
  await rm(paths.journal, { recursive: true, force: true });
  await writeFile(paths.journal, 'in the way');
  await assert.rejects(
    tags.update(repository, tag, (last) => confirmed(last, descriptor('new'), 20)),
  );
  assert.deepEqual(await tags.get(repository, tag), record);
});

test('tags that differ in case, and two tags of one digest, do not disturb each other', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const tags = diskTags(paths);
  const names = ['V1', 'v1', 'latest'].map((name) => parseTag(name));
  for (const [index, name] of names.entries()) {
    await tags.set(repository, name, confirmed(undefined, descriptor('same'), index));
  }
  const again = diskTags(paths);
  assert.deepEqual(await again.list(repository), ['V1', 'latest', 'v1']);
  assert.equal((await again.get(repository, names[1]!))?.checkedAt, 1);
  await again.remove(repository, names[1]!);
  assert.deepEqual(await again.list(repository), ['V1', 'latest']);
});

test('of writes to one tag at once the last one stays', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const tags = diskTags(paths);
  const writes = Array.from({ length: 30 }, (_, at) =>
    tags.set(repository, tag, confirmed(undefined, descriptor('x'), at)),
  );
  await Promise.all([...writes, tags.remove(repository, tag)]);
  assert.deepEqual(await tags.list(repository), []);
});

test('tags that are held change for nobody else, and are what was noted', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const tags = diskTags(paths);
  const [a, b] = [descriptor('a'), descriptor('b')];
  const held = ['one', 'two'].map((name) => ({ repository, tag: parseTag(name) }));
  const meanings = async (from = tags) =>
    Promise.all(held.map(async (one) => (await from.get(one.repository, one.tag))?.descriptor));
  const [one, two] = held as [NamedTag, NamedTag];
  await tags.set(repository, one.tag, confirmed(undefined, a, 1));
  await tags.set(repository, two.tag, confirmed(undefined, a, 1));
  let others: Promise<unknown> = Promise.resolve();
  await tags.hold(held, async (note) => {
    others = Promise.all([
      tags.update(repository, one.tag, (found) => confirmed(found, a, 3)),
      tags.remove(repository, two.tag),
    ]);
    // Another tag's write goes on, and so much time passes for these.
    await tags.set(repository, tag, confirmed(undefined, b, 1));
    assert.deepEqual(await meanings(), [a, a]);
    const record = confirmed(await tags.get(repository, one.tag), b, 2);
    await writeFile(paths.tag(repository, one.tag), JSON.stringify(record));
    note(one, record);
    assert.deepEqual(await meanings(), [b, a]);
  });
  await others;
  assert.deepEqual(await meanings(), [a, undefined]);
  assert.deepEqual(await meanings(diskTags(paths)), [a, undefined]);
  const record = await tags.get(repository, one.tag);
  assert.deepEqual(
    record?.history.map(({ digest }) => digest),
    [b.digest, a.digest],
  );
});

test('tags that were held are read again when whoever held them has failed', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const tags = diskTags(paths);
  await tags.set(repository, tag, confirmed(undefined, descriptor('a'), 1));
  const reason = new Error('in the middle');
  await assert.rejects(
    tags.hold([{ repository, tag }], async () => {
      const record = confirmed(undefined, descriptor('b'), 2);
      await writeFile(paths.tag(repository, tag), JSON.stringify(record));
      throw reason;
    }),
    reason,
  );
  assert.deepEqual((await tags.get(repository, tag))?.descriptor, descriptor('b'));
});

test('what is read while it changes is not remembered as it was', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  await diskTags(paths).set(repository, tag, confirmed(undefined, descriptor('a'), 1));
  for (let round = 0; round < 20; round += 1) {
    const tags = diskTags(paths);
    const last = descriptor(`b${round}`);
    await Promise.all([
      tags.get(repository, tag),
      tags.set(repository, tag, confirmed(undefined, last, 2)),
      tags.get(repository, tag),
    ]);
    assert.deepEqual((await tags.get(repository, tag))?.descriptor, last);
  }
});

test('a broken record is as good as none, and hides nothing else', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const [good, bad] = [parseTag('good'), parseTag('bad')];
  const { digest } = descriptor('x');
  await diskTags(paths).set(repository, good, confirmed(undefined, descriptor('x'), 1));
  await diskTags(paths).set(repository, bad, confirmed(undefined, descriptor('x'), 1));
  await diskLinks(paths).set(repository, digest, { size: 1 });
  for (const rubbish of ['', '{', '[]', '{"descriptor":1}', '\0\0\0\0']) {
    await writeFile(paths.tag(repository, bad), rubbish);
    await writeFile(paths.link(repository, digest), rubbish);
    assert.equal(await diskTags(paths).get(repository, bad), undefined);
    assert.equal(await diskLinks(paths).get(repository, digest), undefined);
    assert.ok(await diskTags(paths).get(repository, good));
  }
});

test('links and referrers survive, and leave no temporary files', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const { digest } = descriptor('blob');
  const links = diskLinks(paths);
  await Promise.all(
    Array.from({ length: 20 }, () => links.set(repository, digest, { size: 4, mediaType: 'm' })),
  );
  assert.deepEqual(await diskLinks(paths).get(repository, digest), { size: 4, mediaType: 'm' });
  assert.equal(await links.get({ ...repository, path: 'team/other' }, digest), undefined);
  await diskReferrers(paths).set(repository, digest, { items: [descriptor('sig')], checkedAt: 5 });
  assert.deepEqual(await diskReferrers(paths).get(repository, digest), {
    items: [descriptor('sig')],
    checkedAt: 5,
  });
  const left = await readdir(folder.path, { recursive: true });
  assert.deepEqual(
    left.filter((name) => name.endsWith('.new')),
    [],
  );
  assert.match(await readFile(paths.link(repository, digest), 'utf8'), /"size":4/);
});

test('the catalog is what is kept, sorted, of one host or of all', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  assert.deepEqual(await repositories(paths), []);
  const links = diskLinks(paths);
  const names = [
    { host: 'quay.io', path: 'b/c' },
    { host: 'docker.io', path: 'library/x' },
    { host: 'quay.io', path: 'b' },
    { host: 'quay.io', path: 'b-a' },
  ];
  for (const name of names) await links.set(name, descriptor('y').digest, { size: 1 });
  assert.deepEqual(
    (await repositories(paths)).map(({ host, path }) => `${host}/${path}`),
    ['docker.io/library/x', 'quay.io/b', 'quay.io/b-a', 'quay.io/b/c'],
  );
  assert.equal((await repositories(paths, 'docker.io')).length, 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { lastingLinks } from '../../src/mirror/lasting-links.ts';
import { diskLinks, type LinkStore } from '../../src/store/links.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const REPOSITORY = { host: 'docker.io', path: 'library/x' };
const DIGESTS = ['a', 'b'].map((text) => digestOf(Buffer.from(text)));

/** Links on a disk that is full as long as `full` says so; tells each attempt to write. */
function full(paths: Paths, isFull: (attempt: number) => boolean) {
  const disk = diskLinks(paths);
  let attempts = 0;
  const written = Promise.withResolvers<void>();
  let left = DIGESTS.length;
  const links: LinkStore = {
    ...disk,
    get: async () => ({ size: 7 }),
    async set(repository, digest, link) {
      attempts += 1;
      if (isFull(attempts)) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      await disk.set(repository, digest, link);
      left -= 1;
      if (left === 0) written.resolve();
    },
  };
  return { links, written: written.promise };
}

test('what could not be written is tried again until it can', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const { links, written } = full(paths, (attempt) => attempt <= 5);
  const lasting = lastingLinks({ links, retryAfter: 1 });
  for (const digest of DIGESTS) {
    await assert.rejects(lasting.set(REPOSITORY, digest, { size: 7 }), { code: 'ENOSPC' });
  }
  // Held open by this, since waiting for room keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  await written;
  clearInterval(alive);
  for (const digest of DIGESTS) {
    assert.deepEqual(await diskLinks(paths).get(REPOSITORY, digest), { size: 7 });
  }
  await lasting.close();
});

test('the end is the last attempt, and after it there is none', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  let attempts = 0;
  const { links } = full(paths, (attempt) => {
    attempts = attempt;
    return true;
  });
  const lasting = lastingLinks({ links, retryAfter: 60_000 });
  for (const digest of DIGESTS) await assert.rejects(lasting.set(REPOSITORY, digest, { size: 7 }));
  await lasting.close();
  assert.equal(attempts, 3);
  await assert.rejects(lasting.set(REPOSITORY, digestOf(Buffer.from('c')), { size: 7 }));
  assert.equal(attempts, 4);
});

test('a link that is gone meanwhile does not come back', async () => {
  await using folder = await temporaryFolder();
  const { links } = full(new Paths(folder.path), (attempt) => attempt <= 1);
  let sets = 0;
  const gone: LinkStore = {
    ...links,
    get: async () => undefined,
    async set(...given) {
      sets += 1;
      await links.set(...given);
    },
  };
  const lasting = lastingLinks({ links: gone, retryAfter: 60_000 });
  const [digest] = DIGESTS;
  assert.ok(digest);
  await assert.rejects(lasting.set(REPOSITORY, digest, { size: 7 }));
  await lasting.close();
  assert.equal(sets, 1);
});

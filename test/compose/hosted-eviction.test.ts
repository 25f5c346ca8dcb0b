import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { administrationOf } from '../../src/compose/administration.ts';
import { openAlone } from '../../src/compose/alone.ts';
import { openHosted } from '../../src/compose/hosted.ts';
import { housekeepingOf } from '../../src/compose/housekeeping.ts';
import { openStore, type OpenStore } from '../../src/compose/store.ts';
import { load } from '../../src/config/load.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import type { HostedRepositories } from '../../src/hosted/repositories.ts';
import { pattern } from '../fixtures/collect.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const cached = { host: 'docker.io', path: 'library/x' };
const mine = { host: HOSTED, path: 'apps/x' };
const everything = { reason: 'request', excess: () => Infinity } as const;

async function opened(path: string, { maxSize = '50GiB', minFree = '0' } = {}) {
  await using stack = new AsyncDisposableStack();
  const storage = `{ minFree: ${minFree}, verifyRate: 0, maxSize: ${maxSize} }`;
  const text = `storage: ${storage}\nhosted: [apps/*]\n`;
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  let residents: HostedRepositories | undefined;
  const housekeeping = housekeepingOf(() => config, {
    exclusively: (digest, task) =>
      residents === undefined ? task() : residents.exclusively(digest, task),
  });
  const store = stack.use(
    await openStore({ path, verifyRate: () => 0, admin: '', observe: () => {}, housekeeping }),
  );
  const hosted = stack.use(
    openHosted(
      () => config,
      store,
      () => {},
      async () => true,
    ),
  );
  residents = hosted.repositories;
  await store.housekeeping.looked();
  const whole = stack.move();
  return {
    store,
    hosted: hosted.repositories,
    evictor: store.housekeeping.evictor,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

test('content that is evicted while it is pushed or mounted: what was acknowledged is here, and stays', async () => {
  await using folder = await temporaryFolder();
  await using place = await opened(folder.path);
  const { store, hosted, evictor } = place;
  const outcomes = { mounted: 0, refused: 0 };
  const acknowledged = [];
  for (let seed = 1; seed <= 60; seed += 1) {
    const bytes = pattern(20_000, seed);
    const digest = digestOf(bytes);
    {
      await using ingest = await store.content.ingest(digest);
      await ingest.expect(bytes.length);
      await ingest.write(bytes);
      await ingest.commit();
    }
    await store.links.set(cached, digest, { size: bytes.length });
    const body = (async function* () {
      yield bytes;
    })();
    const take = () =>
      seed % 3 === 0
        ? hosted.uploads.whole(mine, digest, { body })
        : hosted.mounts.mount(mine, digest, cached);
    // Now the one has a lead, now the other.
    const taking = seed % 2 === 0 ? take() : undefined;
    for (let turn = 0; turn < seed % 7; turn += 1) await setImmediate();
    const evicting = evictor.sweep(everything);
    const taken = await (taking ?? take());
    await evicting;
    if (taken === undefined) {
      outcomes.refused += 1;
      continue;
    }
    outcomes.mounted += 1;
    acknowledged.push(digest);
    assert.equal(await store.content.size(digest), bytes.length, `${seed}`);
  }
  await evictor.sweep(everything);
  for (const digest of acknowledged) assert.ok(await store.content.size(digest));
  assert.ok(outcomes.mounted > 20 && outcomes.refused > 0, JSON.stringify(outcomes));
});

test('offline nothing is evicted, and who asks for it is told why', async () => {
  await using folder = await temporaryFolder();
  const text = `storage: { path: ${folder.path}, minFree: 0 }\noffline: true\n`;
  const { config } = load({ file: { name: 'c', text }, environment: {}, overrides: [] });
  await using store = await openAlone(config);
  await using hosted = openHosted(() => config, store);
  const administration = administrationOf(store, hosted);
  await assert.rejects(administration.evict(0), /offline/);
  await assert.rejects(administration.prune({ patterns: ['**'], gone: 'include' }), /offline/);
});

test('what was pushed is kept after a restart, also without the index', async () => {
  await using folder = await temporaryFolder();
  const bytes = pattern(20_000, 1);
  const digest = digestOf(bytes);
  {
    await using place = await opened(folder.path);
    const body = (async function* () {
      yield bytes;
    })();
    await place.hosted.uploads.whole(mine, digest, { body });
  }
  for (const index of ['there', 'lost'] as const) {
    await using place = await opened(folder.path);
    if (index === 'lost') {
      await rm(place.store.paths.blobIndex);
      await place.store.housekeeping.round();
    }
    await place.evictor.sweep(everything);
    assert.equal(await place.store.content.size(digest), 20_000, index);
    assert.equal(place.store.housekeeping.keeper.why(digest)?.reason, 'hosted');
  }
});

const MiB = 1024 * 1024;

async function cache({ content, links }: OpenStore, bytes: Buffer): Promise<Digest> {
  const digest = digestOf(bytes);
  await using ingest = await content.ingest(digest);
  await ingest.expect(bytes.length);
  await ingest.write(bytes);
  assert.deepEqual(await ingest.commit(), { stored: true });
  await links.set(cached, digest, { size: bytes.length });
  return digest;
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += MiB) yield bytes.subarray(at, at + MiB);
}

const refused = (status: number) => (error: unknown) => {
  assert.ok(error instanceof RegistryError, String(error));
  assert.deepEqual([error.code, error.status], ['STORAGE_UNAVAILABLE', status]);
  return true;
};

test('what is being pushed counts, and has what is cached make way', async () => {
  await using folder = await temporaryFolder();
  const upload = { id: '' };
  {
    await using place = await opened(folder.path, { maxSize: '10MiB' });
    const { store, hosted } = place;
    const { ledger } = store.housekeeping;
    for (let seed = 0; seed < 8; seed += 1) await cache(store, pattern(MiB, seed));
    Object.assign(upload, await hosted.uploads.start(mine));
    let most = 0;
    const body = (async function* () {
      for await (const chunk of chunksOf(pattern(6 * MiB, 100))) {
        yield chunk;
        most = Math.max(most, ledger.used);
      }
    })();
    assert.equal((await hosted.uploads.append(mine, upload.id, { body })).offset, 6 * MiB);
    assert.ok(most <= 10 * MiB && most > 6 * MiB, `${most}`);
    assert.ok(ledger.stored.bytes <= 4 * MiB);
    assert.equal(ledger.used, ledger.stored.bytes + 6 * MiB, 'to the byte, once nobody writes');
  }
  await using place = await opened(folder.path, { maxSize: '10MiB' });
  const { store, hosted } = place;
  const { ledger } = store.housekeeping;
  assert.equal(ledger.used, ledger.stored.bytes + 6 * MiB, 'also after a restart');
  const digest = digestOf(pattern(6 * MiB, 100));
  const before = ledger.stored.bytes;
  await hosted.uploads.finish(mine, upload.id, digest);
  assert.deepEqual([ledger.used, ledger.stored.bytes], [before + 6 * MiB, before + 6 * MiB]);
  const dropped = await hosted.uploads.start(mine);
  const piece = { body: chunksOf(pattern(MiB, 101)) };
  await hosted.uploads.append(mine, dropped.id, piece);
  assert.equal(ledger.used, ledger.stored.bytes + MiB);
  await hosted.uploads.cancel(mine, dropped.id);
  assert.equal(ledger.used, ledger.stored.bytes);
});

test('a push that what is kept leaves no room for is refused, announced or not, and keeps what came', async () => {
  await using folder = await temporaryFolder();
  await using place = await opened(folder.path, { maxSize: '10MiB' });
  const { store, hosted } = place;
  const { ledger } = store.housekeeping;
  const kept = pattern(6 * MiB, 1);
  await hosted.uploads.whole(mine, digestOf(kept), { body: chunksOf(kept) });
  await cache(store, pattern(MiB, 2));
  const { id } = await hosted.uploads.start(mine);
  const asked: string[] = [];
  const unread = (async function* (): AsyncGenerator<Buffer> {
    asked.push('a byte');
    yield* chunksOf(pattern(5 * MiB, 4));
  })();
  const announced = hosted.uploads.append(mine, id, { body: unread, size: 5 * MiB });
  await assert.rejects(announced, refused(507));
  assert.deepEqual(asked, [], 'it is told before it sends');
  const content = pattern(8 * MiB, 3);
  const append = hosted.uploads.append(mine, id, { body: chunksOf(content) });
  await assert.rejects(append, refused(507));
  const { offset } = await hosted.uploads.status(mine, id);
  assert.ok(offset >= 2 * MiB && offset <= 4 * MiB, `${offset}`);
  assert.ok(ledger.used <= 10 * MiB);
  await hosted.changes.deleteBlob(mine, digestOf(kept));
  store.housekeeping.keeper.release(digestOf(kept));
  const rest = { body: chunksOf(content.subarray(offset)), from: offset };
  await hosted.uploads.finish(mine, id, digestOf(content), rest);
  assert.equal(await store.content.size(digestOf(content)), 8 * MiB);
  assert.ok(ledger.used <= 10 * MiB);
});

test('a push is not refused for a disk that has less free than it should', async () => {
  await using folder = await temporaryFolder();
  await using place = await opened(folder.path, { minFree: '1000000GiB' });
  const bytes = pattern(3 * MiB, 1);
  await place.hosted.uploads.whole(mine, digestOf(bytes), { body: chunksOf(bytes) });
  assert.equal(place.store.housekeeping.ledger.used, 3 * MiB);
});

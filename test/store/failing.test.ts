import assert from 'node:assert/strict';
import { mkdir, readFile, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { systemCode } from '../../src/core/errors.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Layout } from '../../src/store/layout.ts';
import { Paths } from '../../src/store/paths.ts';
import { scrub } from '../../src/store/scrub.ts';
import type { ContentStore } from '../../src/store/store.ts';
import { diskTags } from '../../src/store/tags.ts';
import { verify } from '../../src/store/verify.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

async function setUp(damaged: () => void = () => {}) {
  const folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const damage: string[] = [];
  const onDamage = (digest: string, reason: string): void => {
    damage.push(`${digest} ${reason}`);
    damaged();
  };
  const store = await diskStore({ paths, onDamage });
  return { paths, store, damage, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

suite('a store that cannot be written or read everywhere', () => {
  test('an index that could not be written is written later, though no tag has moved', async () => {
    await using world = await setUp();
    const { paths, store } = world;
    const layout = new Layout({ paths, tags: diskTags(paths), store });
    await mkdir(paths.index);
    await assert.rejects(layout.flush());
    await rmdir(paths.index);
    await layout.flush();
    assert.deepEqual(JSON.parse(await readFile(paths.index, 'utf8')).manifests, []);
    assert.match(await readFile(paths.layout, 'utf8'), /imageLayoutVersion/);
  });

  test('an index that cannot be written is told, and does not end the keeping', async () => {
    await using world = await setUp();
    const { paths, store } = world;
    await mkdir(paths.index);
    const stop = new AbortController();
    const errors: Error[] = [];
    const onError = (error: Error): void => {
      errors.push(error);
      stop.abort();
    };
    await new Layout({ paths, tags: diskTags(paths), store, onError }).keep(stop.signal);
    assert.equal(errors.length, 1);
  });

  test('wrong content goes out of sight also where there is no place to set it aside', async () => {
    await using world = await setUp();
    const { paths, store } = world;
    await writeFile(paths.damaged, 'not a folder');
    const digest = digestOf(Buffer.from('right'));
    await writeFile(paths.blob(digest), 'wrong');
    assert.equal(await store.open(digest, { size: 1000 }), undefined);
    assert.equal(await store.size(digest), undefined);
    assert.deepEqual(world.damage, [`${digest} size`]);
  });

  test('content that cannot be read is passed over by who asks for that, the rest is verified', async () => {
    const [found, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<Error>()];
    await using world = await setUp(found.resolve);
    const { paths, store, damage } = world;
    const [unreadable, wrong] = [digestOf(Buffer.from('a')), digestOf(Buffer.from('b'))];
    await mkdir(paths.blob(unreadable));
    await assert.rejects(Array.fromAsync(verify({ paths, store })));
    await writeFile(paths.blob(wrong), 'something else');
    const stop = new AbortController();
    const onError = (error: Error): void => failed.resolve(error);
    const rate = (): number => Number.MAX_SAFE_INTEGER;
    const running = scrub({ paths, store, rate, signal: stop.signal, onError });
    await Promise.all([found.promise, failed.promise]);
    stop.abort();
    await running;
    assert.deepEqual(damage, [`${wrong} digest`]);
  });

  test('a round that fails is told, and the next one comes after a rest', async () => {
    await using world = await setUp();
    const { paths, store, damage } = world;
    const folder = path.join(paths.blobs, 'sha256');
    const wrong = digestOf(Buffer.from('right'));
    await rmdir(folder);
    await symlink('sha256', folder);
    const stop = new AbortController();
    const [errors, rests]: [string[], number[]] = [[], []];
    await scrub({
      paths,
      store,
      rate: () => Number.MAX_SAFE_INTEGER,
      signal: stop.signal,
      onError: (error) => errors.push(systemCode(error) ?? error.message),
      wait: async (milliseconds) => {
        rests.push(milliseconds);
        if (rests.length === 2) stop.abort();
        if (rests.length > 1) return;
        await rm(folder);
        await mkdir(folder);
        await writeFile(paths.blob(wrong), 'wrong');
      },
    });
    assert.deepEqual(errors, ['ELOOP']);
    assert.deepEqual(damage, [`${wrong} digest`]);
    const [failed = 0, whole = 0] = rests;
    assert.ok(failed >= 60_000);
    assert.ok(whole > failed);
  });

  test('the rest after a round that failed ends with the signal', async () => {
    await using world = await setUp();
    const { paths, store } = world;
    const folder = path.join(paths.blobs, 'sha256');
    await rmdir(folder);
    await symlink('sha256', folder);
    const stop = new AbortController();
    const errors: Error[] = [];
    const onError = (error: Error): void => {
      errors.push(error);
      setImmediate(() => stop.abort());
    };
    await scrub({ paths, store, rate: () => 1, signal: stop.signal, onError });
    assert.equal(errors.length, 1);
  });

  test('content that is wrong and cannot be set aside does not keep the rest from being verified', async () => {
    await using world = await setUp();
    const { paths, store, damage } = world;
    const [stuck, wrong] = [digestOf(Buffer.from('a')), digestOf(Buffer.from('b'))];
    await writeFile(paths.blob(stuck), 'wrong');
    await writeFile(paths.blob(wrong), 'wrong');
    const failure = new Error('read-only');
    const failing: ContentStore = {
      async open(digest, options) {
        const blob = await store.open(digest, options);
        if (blob === undefined || digest !== stuck) return blob;
        return { ...blob, setAside: () => Promise.reject(failure) };
      },
      size: (digest) => store.size(digest),
      ingest: (digest) => store.ingest(digest),
      remove: (digest) => store.remove(digest),
    };
    const passed: unknown[] = [];
    const onUnreadable = (digest: Digest, error: Error) => passed.push([digest, error]);
    const verified = await Array.fromAsync(verify({ paths, store: failing, onUnreadable }));
    assert.deepEqual(passed, [[stuck, failure]]);
    assert.deepEqual(damage, [`${wrong} digest`]);
    assert.equal(verified.length, 1);
  });
});

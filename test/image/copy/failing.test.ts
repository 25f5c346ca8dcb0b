import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RegistryError } from '../../../src/core/errors.ts';
import { parsePath, parseTag, type Repository } from '../../../src/core/reference.ts';
import { copy, type CopyOptions } from '../../../src/image/copy/copy.ts';
import type { CopyEvent } from '../../../src/image/copy/event.ts';
import { MemorySink } from '../../fixtures/memory-sink.ts';
import { MemorySource } from '../../fixtures/memory-source.ts';
import { putImage, REPOSITORY } from '../image-world.ts';

const TARGET: Repository = { host: 'target.test', path: parsePath('mine/app') };

function world(layers: readonly number[] = [300_000, 200_000, 100_000, 90_000, 80_000, 70_000]) {
  const source = new MemorySource();
  const sink = new MemorySink();
  const image = putImage(source, { tags: ['latest'], layers });
  const other = putImage(source, { tags: ['other'], layers: [5000, 6000], seed: 2 });
  const images = ['latest', 'other'].map((name) => ({
    source,
    repository: REPOSITORY,
    at: parseTag(name),
    to: { repository: TARGET, at: parseTag(name) },
  }));
  const run = (options: Partial<CopyOptions> = {}) =>
    copy({ images, sink, selection: { kind: 'one' }, ...options });
  return { source, sink, image, other, run };
}

/** Nothing goes on behind a copy that has ended. */
async function quiet({ source, sink }: { source: MemorySource; sink: MemorySink }): Promise<void> {
  assert.equal(source.open, 0);
  assert.equal(sink.running, 0);
  const before = [source.calls.length, sink.calls.length];
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  assert.deepEqual([source.calls.length, sink.calls.length], before);
}

suite('a copy that fails', () => {
  for (const failing of [0, 2, 6]) {
    test(`for a target that refuses blob ${failing}`, async () => {
      const it = world();
      const error = new RegistryError('DENIED', 'no');
      let count = 0;
      it.sink.fault = () => {
        if (count === failing) throw error;
        count += 1;
      };
      await assert.rejects(it.run({ parallel: 2 }), error);
      assert.equal(it.sink.tags.has('target.test/mine/app:latest'), false);
      await quiet(it);
    });
  }

  test('for what is no failure of a registry, and says so', async () => {
    const it = world();
    const defect = new TypeError('a defect');
    it.sink.fault = ({ size }) => {
      if (size === 80_000) throw defect;
    };
    await assert.rejects(it.run(), (error) => error === defect);
    await quiet(it);
  });

  test('for a body that is cut', async () => {
    for (const by of ['body', 'pour'] as const) {
      const it = world();
      const cut = new RegistryError('UPSTREAM_UNAVAILABLE', 'cut');
      it.sink.by = by;
      it.source.behave({
        by,
        before: (position) => {
          if (position > 150_000) throw cut;
        },
      });
      await assert.rejects(it.run(), cut);
      assert.equal(it.sink.manifests.length, 0);
      await quiet(it);
    }
  });

  test('for a source that lies', async () => {
    const it = world();
    it.source.behave({ shortAt: 1000 });
    await assert.rejects(
      it.run(),
      (error) => error instanceof RegistryError && error.code === 'SIZE_INVALID',
    );
    assert.equal(it.sink.manifests.length, 0);
    await quiet(it);
  });

  test('ends those that stand still', { timeout: 10_000 }, async () => {
    for (const by of ['body', 'pour'] as const) {
      const it = world();
      const never = Promise.withResolvers<void>();
      const error = new RegistryError('DENIED', 'no');
      it.sink.by = by;
      let standing = 0;
      const stand = Promise.withResolvers<void>();
      it.source.behave({
        by,
        before: () => {
          standing += 1;
          if (standing === 3) stand.resolve();
          return never.promise;
        },
      });
      it.sink.fault = async ({ size }) => {
        if (size !== 90_000) return;
        await stand.promise;
        throw error;
      };
      await assert.rejects(it.run({ parallel: 6 }), error);
      await quiet(it);
      never.resolve();
    }
  });
});

const stops: readonly CopyEvent['type'][] = [
  'image-chosen',
  'blob-started',
  'blob-read',
  'blob-progress',
  'blob-done',
  'manifest-done',
];
suite('a copy that is interrupted', () => {
  for (const type of stops) {
    test(`at ${type}`, async () => {
      const it = world();
      const controller = new AbortController();
      const running = it.run({
        signal: controller.signal,
        observe: (event) => {
          if (event.type === type) controller.abort();
        },
      });
      await assert.rejects(
        running,
        (error) => error instanceof RegistryError && error.code === 'INTERRUPTED',
      );
      assert.equal(it.sink.tags.has('target.test/mine/app:other'), false);
      await quiet(it);
    });
  }

  test('before it begins', async () => {
    const it = world();
    await assert.rejects(
      it.run({ signal: AbortSignal.abort() }),
      (error) => error instanceof RegistryError && error.code === 'INTERRUPTED',
    );
    assert.deepEqual(it.source.calls, []);
  });
});

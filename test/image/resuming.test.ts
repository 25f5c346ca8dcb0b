import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import type { Range } from '../../src/core/range.ts';
import { resuming } from '../../src/image/resuming.ts';
import { collect, collectPoured, pattern } from '../fixtures/collect.ts';
import { MemorySource, type BlobManner } from '../fixtures/memory-source.ts';
import { REPOSITORY } from './image-world.ts';

const BYTES = pattern(300_000);

/** Breaks off each time that many bytes have come since the last time, and so many times at most. */
function breaking(every: number, times: number, by: BlobManner['by'] = 'body') {
  const source = new MemorySource();
  const digest = source.putBlob(REPOSITORY, BYTES);
  let [next, left] = [every, times];
  source.behave({
    by,
    chunk: 10_000,
    before: (position) => {
      if (left === 0 || position < next) return;
      left -= 1;
      next = position + every;
      throw new RegistryError('UPSTREAM_UNAVAILABLE', 'cut');
    },
  });
  return { source, digest };
}

suite('a body that breaks off', () => {
  for (const by of ['body', 'pour'] as const) {
    for (const range of [undefined, { from: 50_000, to: 249_999 }, { last: 120_001 }] as (
      | Range
      | undefined
    )[]) {
      test(`is gone on with: ${by} of ${JSON.stringify(range ?? 'all')}`, async () => {
        const { source, digest } = breaking(60_000, 2, by);
        const blob = await resuming(source, { retries: 3 }).blob(REPOSITORY, digest, range);
        const got = by === 'pour' ? await collectPoured(blob) : await collect(blob.body);
        await blob[Symbol.asyncDispose]();
        assert.ok(got.equals(BYTES.subarray(blob.span.start, blob.span.end)));
        assert.equal(source.open, 0);
        assert.equal(source.calls.length, 3);
      });
    }
  }

  test('is an error where nothing comes any more', async () => {
    const { source, digest } = breaking(60_000, 100);
    source.behave({
      before: () => {
        throw new RegistryError('UPSTREAM_UNAVAILABLE', 'cut');
      },
    });
    await using blob = await resuming(source, { retries: 1 }).blob(REPOSITORY, digest);
    await assert.rejects(collect(blob.body), RegistryError);
    assert.equal(source.calls.length, 2);
  });

  test('is an error where another attempt would not help', async () => {
    const { source, digest } = breaking(0, 0);
    source.behave({
      before: () => {
        throw new RegistryError('UPSTREAM_INVALID', 'rubbish');
      },
    });
    await using blob = await resuming(source, { retries: 5 }).blob(REPOSITORY, digest);
    await assert.rejects(collect(blob.body), RegistryError);
    assert.equal(source.calls.length, 1);
  });

  test('is not asked for again when it is the reader that fails', async () => {
    const { source, digest } = breaking(0, 0, 'pour');
    source.behave({ by: 'pour' });
    const full = new RegistryError('UPSTREAM_UNAVAILABLE', 'of the reader');
    await using blob = await resuming(source, { retries: 5 }).blob(REPOSITORY, digest);
    await assert.rejects(blob.pour?.(() => Promise.reject(full)) ?? Promise.resolve(), full);
    assert.equal(source.calls.length, 1);
  });
});

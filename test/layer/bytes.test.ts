import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../../src/layer/bytes.ts';

/** Chunks of these sizes, all in one buffer: each is gone once the next one is asked for. */
async function* refilled(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(Math.max(...sizes));
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.min(sizes[turn % sizes.length] ?? 1, bytes.length - at);
    buffer.fill(0xee);
    buffer.set(bytes.subarray(at, at + size));
    yield buffer.subarray(0, size);
    at += size;
  }
  buffer.fill(0xee);
}

const step = fc.record({
  how: fc.constantFrom('peek', 'take', 'view', 'skip'),
  count: fc.integer({ min: 1, max: 40 }),
});

test('what is gathered stays right though the input fills the same memory again for each chunk', async () => {
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, at) => at));
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(step, { maxLength: 30 }), async (sizes, steps) => {
      await using reader = new ByteReader(refilled(bytes, sizes));
      let at = 0;
      for (const { how, count } of steps) {
        const expected = bytes.subarray(at, at + count);
        if (how === 'skip') {
          assert.equal(await reader.skip(count), expected.length);
          at += expected.length;
        } else if (how === 'view') {
          const found = await reader.view(count);
          assert.deepEqual(Buffer.from(found), expected.subarray(0, found.length));
          assert.equal(found.length > 0, expected.length > 0);
        } else {
          assert.deepEqual(Buffer.from(await reader[how](count)), expected);
          if (how === 'take') at += expected.length;
        }
        assert.equal(reader.position, at);
      }
    }),
  );
});

test('also what had come before the input failed', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield* refilled(Buffer.from('abcdef'), [2]);
    throw new Error('cut');
  };
  await using reader = new ByteReader(failing());
  await assert.rejects(reader.peek(10), /cut/);
  assert.equal(Buffer.from(await reader.take(6)).toString(), 'abcdef');
});

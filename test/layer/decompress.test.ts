import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { RegistryError } from '../../src/core/errors.ts';
import { decompress } from '../../src/layer/decompress.ts';
import { collect, pattern } from '../fixtures/collect.ts';

/** Chunks of one size, counted as they are asked for, and whether the reader let go. */
function counted(bytes: Uint8Array, size: number) {
  const state = { given: 0, ended: false };
  async function* chunks() {
    try {
      for (let start = 0; start < bytes.length; start += size) {
        const chunk = bytes.slice(start, start + size);
        state.given += chunk.length;
        yield chunk;
      }
    } finally {
      state.ended = true;
    }
  }
  return { state, chunks: chunks() };
}

async function all(bytes: Uint8Array, size: number): Promise<Buffer> {
  await using decompressed = await decompress(counted(bytes, size).chunks);
  return await collect(decompressed.bytes);
}

const isDamage = (error: unknown): boolean =>
  error instanceof RegistryError && error.code === 'LAYER_INVALID' && error.message.length > 20;

/** Text that compresses, with noise that does not. */
const DATA = Buffer.concat([
  Buffer.alloc(700_000, 'some text that repeats itself. '),
  pattern(300_000),
  Buffer.alloc(500_000),
]);
const [A, B] = [DATA.subarray(0, 600_001), DATA.subarray(600_001, 1_000_000)];

/** A skippable frame of zstd (RFC 8878 section 3.1.2). */
function skippable(payload: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a5a, 0);
  head.writeUInt32LE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

/** gzip with every optional member of its header. */
function adorned(data: Uint8Array): Buffer {
  const plain = gzipSync(data);
  const head = Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 4, 0]);
  return Buffer.concat([
    head,
    Buffer.from('SGab'),
    Buffer.from('name\0comment\0'),
    Buffer.from([1, 2]),
    plain.subarray(10),
  ]);
}

const noisy = Array.from({ length: 400 }, (_, index) =>
  zstdCompressSync(pattern(index * 37, index)),
);
function formsOf(DATA: Buffer): Readonly<Record<string, { bytes: Buffer; is: Buffer }>> {
  const third = Math.floor(DATA.length / 3);
  const [A, B, C] = [
    DATA.subarray(0, third),
    DATA.subarray(third, 2 * third + 1),
    DATA.subarray(2 * third + 1),
  ];
  return {
    gzip: { bytes: gzipSync(DATA), is: DATA },
    'gzip, stored': { bytes: gzipSync(DATA, { level: 0 }), is: DATA },
    'gzip of three members': {
      bytes: Buffer.concat([gzipSync(A), gzipSync(B), gzipSync(C)]),
      is: DATA,
    },
    'gzip with an empty member between': {
      bytes: Buffer.concat([gzipSync(A), gzipSync(''), gzipSync(B), gzipSync(C)]),
      is: DATA,
    },
    'gzip with all of its header': {
      bytes: Buffer.concat([adorned(A), adorned(B), adorned(C)]),
      is: DATA,
    },
    'gzip, then zeros': { bytes: Buffer.concat([gzipSync(DATA), Buffer.alloc(70_000)]), is: DATA },
    'gzip, then something else': {
      bytes: Buffer.concat([gzipSync(DATA), Buffer.from('else')]),
      is: DATA,
    },
    zstd: { bytes: zstdCompressSync(DATA), is: DATA },
    'zstd of three frames': {
      bytes: Buffer.concat([A, B, C].map((part) => zstdCompressSync(part))),
      is: DATA,
    },
    'zstd with skippable frames': {
      bytes: Buffer.concat([
        skippable(pattern(5)),
        zstdCompressSync(A),
        skippable(pattern(300_000)),
        zstdCompressSync(B),
        zstdCompressSync(C),
        skippable(Buffer.alloc(0)),
      ]),
      is: DATA,
    },
    'zstd of hundreds of frames': {
      bytes: Buffer.concat(noisy),
      is: Buffer.concat(noisy.map((_, index) => pattern(index * 37, index))),
    },
    'plain bytes': { bytes: DATA, is: DATA },
    nothing: { bytes: Buffer.alloc(0), is: Buffer.alloc(0) },
  };
}

describe('decompress', () => {
  for (const [name, { bytes, is }] of Object.entries(formsOf(DATA))) {
    for (const size of [1460, 65_536, bytes.length + 1]) {
      test(`${name}, ${size} bytes a chunk`, async () => {
        assert.ok((await all(bytes, size)).equals(is));
      });
    }
  }

  for (const [name, { bytes, is }] of Object.entries(
    formsOf(Buffer.concat([pattern(700), Buffer.alloc(900)])),
  )) {
    if (bytes.length > 100_000) continue;
    test(`${name}, a byte a chunk`, async () => {
      assert.ok((await all(bytes, 1)).equals(is));
    });
  }

  for (const [name, whole] of [
    ['gzip', gzipSync(B)],
    ['zstd', zstdCompressSync(B)],
  ] as const) {
    test(`${name} that is cut anywhere is an error`, async () => {
      for (const cut of [
        7,
        11,
        100,
        5000,
        whole.length - 9,
        whole.length - 8,
        whole.length - 3,
        whole.length - 1,
      ]) {
        await assert.rejects(all(whole.subarray(0, cut), 4096), isDamage, `cut at ${cut}`);
      }
    });

    test(`${name} with bytes changed is an error or the same bytes`, async () => {
      let noticed = 0;
      for (let at = 10; at < whole.length; at += Math.floor(whole.length / 40)) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ 0x55;
        const got = await all(bytes, 65_536).catch((error: unknown) => {
          assert.ok(isDamage(error), String(error));
          noticed += 1;
        });
        // Node writes zstd without a checksum; gzip has one.
        if (got !== undefined && name === 'gzip') assert.fail(`byte ${at}`);
      }
      assert.ok(noticed > 0);
    });
  }

  test('a second member that is cut is an error', async () => {
    const whole = Buffer.concat([gzipSync(A), gzipSync(B)]);
    await assert.rejects(all(whole.subarray(0, whole.length - 100), 65_536), isDamage);
    await assert.rejects(
      all(Buffer.concat([gzipSync(A), Buffer.from([0x1f, 0x8b])]), 65_536),
      isDamage,
    );
  });

  test('a wrong checksum is an error', async () => {
    const bytes = gzipSync(A);
    bytes.writeUInt32LE((bytes.readUInt32LE(bytes.length - 8) ^ 1) >>> 0, bytes.length - 8);
    await assert.rejects(all(bytes, 65_536), isDamage);
  });

  test('raw deflate within a header of nonsense is an error', async () => {
    await assert.rejects(
      all(Buffer.concat([Buffer.from([0x1f, 0x8b, 9, 0]), deflateRawSync(A)]), 100),
      isDamage,
    );
  });

  test('formats that are not read are named', async () => {
    await assert.rejects(all(Buffer.from('fd377a585a000004', 'hex'), 3), /xz/);
  });

  test('what fails in the input comes through as it is', async () => {
    const failure = new RegistryError('UPSTREAM_UNAVAILABLE', 'cut');
    const whole = gzipSync(DATA);
    async function* cut() {
      yield whole.subarray(0, 1000);
      throw failure;
    }
    await assert.rejects(async () => {
      await using decompressed = await decompress(cut());
      await collect(decompressed.bytes);
    }, failure);
  });

  for (const [name, whole] of [
    ['gzip', gzipSync(pattern(3_000_000))],
    ['zstd', zstdCompressSync(pattern(3_000_000))],
  ] as const) {
    test(`${name}: the input is asked for no more than is read, and let go`, async () => {
      const { state, chunks } = counted(whole, 32 * 1024);
      {
        await using decompressed = await decompress(chunks);
        let read = 0;
        for await (const chunk of decompressed.bytes) {
          read += chunk.length;
          assert.equal(decompressed.received, state.given);
          assert.ok(state.given <= read + 200 * 1024, `${state.given} given for ${read}`);
          if (read > 1_000_000) break;
        }
      }
      assert.ok(state.given < 1_300_000);
      assert.ok(state.ended);
    });
  }

  test('what expands a thousandfold comes in small chunks, and only when asked for', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000), { level: 9 });
    const before = process.memoryUsage();
    const { chunks } = counted(bomb, 1 << 20);
    await using decompressed = await decompress(chunks);
    let read = 0;
    for await (const chunk of decompressed.bytes) {
      assert.ok(chunk.length <= 256 * 1024);
      read += chunk.length;
      if (read > 20_000_000) break;
    }
    const after = process.memoryUsage();
    assert.ok(after.arrayBuffers - before.arrayBuffers < 60_000_000);
  });
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { generatedBytes } from '../test/fixtures/registry-content.ts';
import { badWorld, blobPath } from './lib/bad-world.ts';
import type { Layover } from './lib/layover.ts';
import { pull, type Pulled } from './lib/pull.ts';
import { random, seed, type Random } from './lib/random.ts';
import { visible, wrong } from './lib/stored.ts';
import { throttle } from './lib/throttle.ts';

const MiB = 1024 * 1024;
const KILLS = 50;
const SIZE = 12 * MiB;
const BLOBS = 3;

interface Expected {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

interface Asked {
  readonly blob: Expected;
  /** The first byte asked for; `undefined`: the whole blob. */
  readonly from: number | undefined;
}

/** Whole, or from somewhere on: what real clients do. */
function ask(blob: Expected, dice: Random): Asked {
  return { blob, from: dice.below(3) === 0 ? dice.below(SIZE) : undefined };
}

async function answer(server: Layover, { blob, from }: Asked): Promise<Pulled> {
  const headers = from === undefined ? {} : { range: `bytes=${from}-` };
  return pull(server.url + blobPath('library/app', blob.digest), { headers });
}

/** Whatever the end, no byte is wrong; with a clean end none is missing. */
function check({ blob, from = 0 }: Asked, { status, body, end }: Pulled): void {
  if (status === 0) return;
  assert.ok(status === 200 || status === 206, `status ${status}`);
  const wanted = blob.bytes.subarray(from);
  assert.ok(body.equals(wanted.subarray(0, body.length)), `wrong bytes of ${blob.digest}`);
  if (end === 'clean') assert.equal(body.length, wanted.length);
}

suite('kill -9', () => {
  test(`at ${KILLS} random moments: no wrong byte, nothing partial visible, what came is kept`, async (t) => {
    const start = performance.now();
    const chosen = seed();
    t.diagnostic(`E2E_SEED=${chosen}`);
    const dice = random(chosen);
    await using here = await badWorld();
    const port = Number(new URL(here.upstream.url).port);
    await using line = await throttle({ targetPort: port, bytesPerSecond: 96 * MiB });
    const upstreams = { 'docker.io': { url: line.url } };
    let made = 0;
    let finished = 0;
    let interrupted = 0;
    let shelf: Expected[] = [];
    const fill = (): void => {
      while (shelf.length < BLOBS) {
        const generated = { size: SIZE, seed: (made += 1) };
        const bytes = generatedBytes(generated);
        shelf.push({ digest: here.upstream.addBlob(generated), bytes });
      }
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      fill();
      const server = await here.serve({ upstreams });
      const asked = Array.from({ length: 4 }, () => ask(shelf[dice.below(BLOBS)]!, dice));
      const answers = Promise.all(
        asked.map(async (one) => {
          const pulled = await answer(server, one);
          check(one, pulled);
          return pulled;
        }),
      );
      const moment = line.until(line.passed() + dice.below(SIZE));
      await Promise.race([moment, answers]);
      moment.catch(() => {});
      await server.process.stop('SIGKILL');
      interrupted += (await answers).filter(({ end }) => end === 'cut').length;
      const seen = await visible(here.store);
      const known = new Set(seen);
      finished += shelf.filter(({ digest }) => known.has(digest)).length;
      shelf = shelf.filter(({ digest }) => !known.has(digest));
    }
    assert.ok(interrupted >= KILLS / 2, `only ${interrupted} answers were interrupted`);

    const server = await here.serve({ upstreams });
    for (const blob of shelf) {
      const asked: Asked = { blob, from: undefined };
      const pulled = await answer(server, asked);
      assert.equal(pulled.end, 'clean');
      check(asked, pulled);
      finished += 1;
    }
    await server.process.stop('SIGTERM');
    assert.deepEqual(await wrong(here.store), []);

    const resumed = here.upstream.requests.filter(({ headers }) => headers['range'] !== undefined);
    const passed = line.passed();
    const distinct = finished * SIZE;
    t.diagnostic(
      `${finished} blobs of ${SIZE / MiB} MiB, ${interrupted} answers cut, ${resumed.length} downloads resumed, ` +
        `${(passed / distinct).toFixed(2)} x the bytes fetched, ${Math.round((performance.now() - start) / 1000)} s`,
    );
    assert.ok(resumed.length >= KILLS / 2, `only ${resumed.length} downloads were resumed`);
    // Without resuming hardly a blob would ever be finished, and each attempt would cost a whole one.
    assert.ok(passed < 3 * distinct, `${passed} bytes fetched for ${distinct}`);
    assert.ok(passed < (KILLS * SIZE * 4) / 5, `${passed} bytes fetched in ${KILLS} attempts`);
  });
});

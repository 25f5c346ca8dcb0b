import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { generatedBytes } from '../test/fixtures/registry-content.ts';
import type { RequestRecord } from '../test/fixtures/registry.ts';
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

/** What a client had of a blob when the server was killed. */
interface Came {
  readonly path: string;
  /** From the blob's beginning. */
  readonly bytes: number;
  /** Requests that the upstream had seen by then. */
  readonly before: number;
}

/** For each path the first bytes that were asked for, in order. */
function offsets(requests: readonly RequestRecord[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { method, path, headers } of requests) {
    if (method !== 'GET' || !path.includes('/blobs/')) continue;
    const first = Number(/^bytes=(\d+)-/.exec(String(headers['range']))?.[1] ?? 0);
    found.set(path, [...(found.get(path) ?? []), first]);
  }
  return found;
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
    const came: Came[] = [];
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
      const received = await answers;
      for (const [index, { body }] of received.entries()) {
        const { blob, from = 0 } = asked[index]!;
        const bytes = body.length === 0 ? 0 : from + body.length;
        came.push({
          path: blobPath('library/app', blob.digest),
          bytes,
          before: here.upstream.requests.length,
        });
      }
      interrupted += received.filter(({ end }) => end === 'cut').length;
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

    const { requests } = here.upstream;
    const asked = offsets(requests);
    const resumed = [...asked.values()].flat().filter((offset) => offset > 0).length;
    t.diagnostic(
      `${finished} blobs of ${SIZE / MiB} MiB, ${interrupted} answers cut, ${resumed} downloads resumed, ` +
        `${(line.passed() / (finished * SIZE)).toFixed(2)} x the bytes fetched, ${Math.round((performance.now() - start) / 1000)} s`,
    );
    assert.ok(resumed >= KILLS / 2, `only ${resumed} downloads were resumed`);
    // How much is on its way at a kill is the machine's affair; that nothing stored is fetched again is ours.
    for (const [path, from] of asked) {
      assert.deepEqual(
        from,
        from.toSorted((a, b) => a - b),
        `${path}: ${from.join(', ')}`,
      );
    }
    for (const { path, bytes, before } of came) {
      const next = offsets(requests.slice(before)).get(path)?.[0] ?? bytes;
      assert.ok(next >= bytes, `${path}: a client had ${bytes} bytes, and ${next} were kept`);
    }
  });
});

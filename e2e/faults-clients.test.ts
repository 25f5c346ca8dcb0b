import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { suite, test } from 'node:test';
import { badWorld, blobPath } from './lib/bad-world.ts';
import type { Layover } from './lib/layover.ts';
import { pull, responseTo, sha256Of } from './lib/pull.ts';

const MiB = 1024 * 1024;
const STILL = 200;
const SIZE = 64 * MiB;
const BOUND = 400 * MiB;

/** Bytes in memory: now, and at most so far. */
async function memory({ process: { pid } }: Layover): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

suite('clients that connect, ask and stand still', { skip: noProc() }, () => {
  for (const state of ['cold', 'warm']) {
    test(`${STILL} of them on a ${state} blob cost little memory and nobody else's time`, async (t) => {
      await using here = await badWorld();
      const digest = here.upstream.addBlob({ size: SIZE, seed: 3 });
      const other = here.upstream.addBlob({ size: SIZE, seed: 4 });
      await using server = await here.serve();
      const url = server.url + blobPath('library/app', digest);
      const timed = async (at: string): Promise<number> => {
        const started = performance.now();
        const answer = await pull(server.url + blobPath('library/app', at));
        assert.equal(sha256Of(answer.body), at);
        return performance.now() - started;
      };
      await timed(other);
      const alone = await timed(other);
      if (state === 'warm') await timed(digest);
      const standing: IncomingMessage[] = await Promise.all(
        Array.from({ length: STILL }, () => responseTo(url)),
      );
      try {
        for (const answer of standing) assert.equal(answer.statusCode, 200);
        // What they all have asked for fills the sockets first.
        await timed(digest);
        // On the same blob, and on one that nobody stands on.
        const [same, another] = [await timed(digest), await timed(other)];
        const { now, peak } = await memory(server);
        t.diagnostic(
          `${Math.round(now / MiB)} MiB, at most ${Math.round(peak / MiB)} MiB; ` +
            `${Math.round(alone)} ms alone, ${Math.round(another)} ms beside them, ${Math.round(same)} ms on the same blob`,
        );
        assert.ok(peak < BOUND, `${peak} bytes`);
        assert.ok(another < alone * 3 + 500, `${another} ms instead of ${alone}`);
        assert.ok(same < alone * 6 + 1_000, `${same} ms instead of ${alone}`);
        assert.equal(here.upstream.count({ method: 'GET', path: new RegExp(digest) }), 1);
      } finally {
        for (const answer of standing) answer.destroy();
      }
    });
  }
});

function noProc(): string | false {
  return process.platform === 'linux' ? false : 'memory is read from /proc';
}

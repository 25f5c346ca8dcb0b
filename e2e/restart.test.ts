import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { curl, curling } from './lib/curl.ts';
import { content, type Content } from './lib/image.ts';
import { layover, type LayoverOptions } from './lib/layover.ts';
import { largest } from './lib/largest.ts';
import { sha256 } from './lib/sha256.ts';
import { throttle, type Throttle } from './lib/throttle.ts';
import { upstreamsAt, world, type World } from './lib/world.ts';

const MiB = 1024 * 1024;

interface Slow extends AsyncDisposable {
  readonly here: World;
  readonly line: Throttle;
  readonly blob: Content;
  readonly url: string;
}

/** A world behind a slow line, and its large blob. */
async function slowWorld(config: LayoverOptions['config'] = {}): Promise<Slow> {
  await using stack = new AsyncDisposableStack();
  let line: Throttle | undefined;
  const here = stack.use(
    await world(async () => ({
      config,
      between: async (upstream) => {
        line = stack.use(await throttle({ targetPort: upstream.port, bytesPerSecond: 16 * MiB }));
        return line.url;
      },
    })),
  );
  assert.ok(line !== undefined);
  const blob = largest(here.shelf['ghcr.io/org/large:v1'].blobs);
  const url = `${here.layover.url}/v2/ghcr.io/org/large/blobs/${blob.digest}`;
  const whole = stack.move();
  return { here, line, blob, url, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

suite('the end of a server', () => {
  test('SIGTERM: no new connection is taken, what runs is finished, the exit is clean', async () => {
    await using slow = await slowWorld();
    const { here, line, blob, url } = slow;
    const output = here.scratch.at('drained');
    await using running = await curling(output, url);
    await line.until(8 * MiB);
    here.layover.process.kill('SIGTERM');
    await refused(here.layover.port);
    line.rate(Infinity);
    assert.deepEqual(await running.exit, { code: 0, signal: null });
    assert.equal(await sha256(output), blob.digest);
    assert.deepEqual(await here.layover.process.exit, { code: 0, signal: null });
  });

  test('SIGTERM with a deadline too short: the answer is cut, the partial file goes on later', async () => {
    await using slow = await slowWorld({ drain: '1s' });
    const { here, line, blob, url } = slow;
    await using running = await curling(here.scratch.at('cut'), url);
    await line.until(8 * MiB);
    line.rate(MiB);
    const ended = await here.layover.process.stop('SIGTERM');
    assert.equal(ended.signal, null, 'it ends by itself');
    assert.notEqual((await running.exit).code, 0, 'a cut answer must not look complete');
    line.rate(Infinity);
    await resumes(here, line, blob);
  });

  test('kill -9 in mid-pull: the next server fetches only the rest', async () => {
    await using slow = await slowWorld();
    const { here, line, blob, url } = slow;
    await using running = await curling(here.scratch.at('cut'), url);
    await line.until(24 * MiB);
    await here.layover.process.stop('SIGKILL');
    assert.notEqual((await running.exit).code, 0, 'a cut answer must not look complete');
    line.rate(Infinity);
    await resumes(here, line, blob);
  });
});

/** A new server on the old store gives the whole blob and asks the upstream for the rest of it. */
async function resumes(here: World, line: Throttle, blob: Content): Promise<void> {
  const upstreams = upstreamsAt(line.url);
  await using again = await layover(here.scratch, { name: 'mirror', upstreams });
  const path = `/v2/ghcr.io/org/large/blobs/${blob.digest}`;
  const before = here.blobFetches().length;
  const answer = await curl(here.scratch, again.url + path);
  assert.equal(answer.exit, 0);
  assert.equal(content('', answer.body).digest, blob.digest);
  const [resumed, ...more] = here.blobFetches().slice(before);
  assert.equal(more.length, 0);
  assert.equal(resumed?.status, 206, 'the upstream was asked for a range');
  assert.ok(resumed.bytes < blob.size - 4 * MiB, `${resumed.bytes} of ${blob.size} fetched again`);
}

/** Resolves once nobody accepts connections on the port any more. */
async function refused(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return;
    } finally {
      socket.destroy();
    }
    await delay(10);
  }
}

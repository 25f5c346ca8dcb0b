import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Pulse } from '../../src/core/pulse.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

/** The server as people start it, with upstreams of the test's. */
async function serve(settings: string) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const config = path.join(folder.path, 'layover.yaml');
  const text = `listen: 127.0.0.1:0\nstorage: { path: ${folder.path}/data, minFree: 0 }\n${settings}`;
  await writeFile(config, text);
  const child = spawn(LAUNCHER, ['serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const started = Promise.withResolvers<number>();
  const said = new Pulse();
  reader.on('line', (line) => {
    lines.push(line);
    said.give();
    const { msg, port } = JSON.parse(line) as { msg: string; port: number };
    if (msg === 'serving') started.resolve(port);
  });
  child.once('exit', (code, signal) => {
    started.reject(new Error(`it has ended by itself (${code ?? signal}): ${lines.join('\n')}`));
    said.give();
  });
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    return child.exitCode;
  };
  stack.defer(async () => void (await stop()));
  const url = `http://127.0.0.1:${await started.promise}`;
  const whole = stack.move();
  return {
    url,
    lines,
    stop,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    /** Settles once it has said so. */
    line: async (msg: string): Promise<void> => {
      while (!lines.some((line) => line.includes(`"msg":"${msg}"`))) {
        assert.equal(child.exitCode, null, `it has ended without "${msg}"`);
        await said.wait();
      }
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

test('a server that does not start fails its test', async () => {
  await assert.rejects(serve('upstreams: nonsense\n'), /it has ended by itself/);
});

test('a mirror that gives something else under a digest is passed over at the next pull', async () => {
  await using origin = await startRegistry();
  await using liar = await startRegistry();
  const digest = origin.addBlob({ size: 300_000, seed: 3 }, 'library/x');
  liar.addBlob({ size: 300_000, seed: 3 }, 'library/x');
  liar.misbehave({ method: 'GET', path: /\/blobs\// }, { kind: 'flip', at: 1000 });
  await using server = await serve(
    `upstreams: { docker.io: { url: "${origin.url}", mirrors: ["${liar.url}"] } }\n`,
  );
  const pull = async () =>
    (await fetch(`${server.url}/v2/library/x/blobs/${digest}`)).arrayBuffer();
  await assert.rejects(pull());
  assert.equal(origin.count({ method: 'GET', path: /\/blobs\// }), 0);
  assert.equal((await pull()).byteLength, 300_000);
  assert.equal(origin.count({ method: 'GET', path: /\/blobs\// }), 1);
});

test('SIGTERM ends it cleanly, with every request in the log', async () => {
  await using origin = await startRegistry();
  origin.addImage('library/x', 'v1');
  await using server = await serve(`upstreams: { docker.io: { url: "${origin.url}" } }\n`);
  for (const at of ['v1', 'v1', 'v2']) {
    await (await fetch(`${server.url}/v2/library/x/manifests/${at}`)).arrayBuffer();
  }
  assert.equal(await server.stop(), 0);
  const records = server.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const requests = records.filter(({ msg }) => msg === 'request');
  assert.deepEqual(
    requests.map(({ reference, status, cache }) => [reference, status, cache]),
    [
      ['v1', 200, 'miss'],
      ['v1', 200, 'hit'],
      ['v2', 404, undefined],
    ],
  );
  assert.equal(records.at(-1)?.['msg'], 'stopped');
});

test('SIGTERM does not wait for an upstream that never answers', async () => {
  await using origin = await startRegistry();
  const digest = origin.addBlob({ size: 300_000, seed: 3 }, 'library/x');
  origin.misbehave({}, { kind: 'never-answer' });
  await using server = await serve(
    `drain: 200ms\nupstreams: { docker.io: { url: "${origin.url}" } }\n`,
  );
  const answer = fetch(`${server.url}/v2/library/x/blobs/${digest}`);
  answer.catch(() => {});
  await origin.seen({ path: /blobs/ });
  const began = performance.now();
  assert.equal(await server.stop(), 0);
  await assert.rejects(answer);
  // The upstream has 20 s for its headers, and three attempts.
  assert.ok(performance.now() - began < 10_000, 'it took as long as the upstream may');
});

test('a signal that npm passes on after the terminal has sent it is no second one', async () => {
  await using origin = await startRegistry();
  origin.addBlob({ size: 300_000, seed: 3 }, 'library/x');
  origin.misbehave({}, { kind: 'never-answer' });
  await using server = await serve(
    `drain: 500ms\nupstreams: { docker.io: { url: "${origin.url}" } }\n`,
  );
  const answer = fetch(`${server.url}/v2/library/x/tags/list`);
  answer.catch(() => {});
  await origin.seen({ path: /tags/ });
  server.signal('SIGTERM');
  await server.line('draining');
  server.signal('SIGTERM');
  assert.equal(await server.stop(), 0);
  assert.ok(server.lines.some((line) => line.includes(`"msg":"stopped"`)));
});

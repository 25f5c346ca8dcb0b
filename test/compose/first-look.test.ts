import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { digestOf } from '../../src/core/digest.ts';
import { parseTag } from '../../src/core/reference.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { APP, exported, filled, openWorld, seen } from '../image/bundle/world.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));
const SLOW = new URL('../fixtures/slow-look.ts', import.meta.url).href;

/** Blobs of a store whose index is lost: many of what is looked at together. */
const MANY = 2_000;

/** A bundle, and a store of many blobs without an index. */
async function place() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const data = path.join(folder.path, 'data');
  const config = path.join(folder.path, 'layover.yaml');
  const text = `listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nstorage: { path: ${data}, minFree: 0 }\noffline: true\n`;
  await writeFile(config, text);
  const bundle = path.join(folder.path, 'one.tar');
  {
    await using here = await openWorld();
    await filled(here);
    await exported(here, ['docker.io/**'], { file: bundle });
    await using there = await openWorld({ folder: data });
    await there.store.ready();
  }
  const paths = new Paths(data);
  await mkdir(path.join(paths.blobs, 'sha256'), { recursive: true });
  const put = (_: unknown, at: number): Promise<void> =>
    writeFile(paths.blob(digestOf(Buffer.from(String(at)))), String(at));
  await Promise.all(Array.from({ length: MANY }, put));
  await rm(path.join(data, 'index'), { recursive: true });
  const whole = stack.move();
  return {
    folder: folder.path,
    data,
    config,
    bundle,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

type Place = Awaited<ReturnType<typeof place>>;

/** A server on it, whose look through the store does not come to its end before SIGTERM. */
async function looking(one: Place, flags: readonly string[] = []) {
  const told = path.join(one.folder, 'looks');
  const child = spawn(LAUNCHER, ['serve', '--config', one.config, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_OPTIONS: `--import ${SLOW}`,
      SLOW_LOOK: one.data,
      SLOW_LOOK_TOLD: told,
    },
  });
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  let log = '';
  child.stdout.on('data', (data: Buffer) => (log += String(data)));
  return {
    /** Settles once the log has such a line. */
    async said(line: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const found = line.exec(log);
        if (found !== null) return found;
        assert.equal(child.exitCode, null, `it has ended: ${log}`);
        await Promise.race([once(child.stdout, 'data'), exited]);
      }
    },
    async end() {
      child.kill('SIGTERM');
      const [code, signal] = await exited;
      const messages = [...log.matchAll(/"msg":"([^"]+)/g)].map(([, message = '']) => message);
      return { code, signal, messages, looks: Number(await readFile(told, 'utf8')) };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** It ended at once, nothing was taken in, and with another start it is. */
async function check(
  one: Place,
  {
    code,
    signal,
    messages,
    looks,
  }: Awaited<ReturnType<Awaited<ReturnType<typeof looking>>['end']>>,
): Promise<void> {
  assert.deepEqual([code, signal], [0, null], messages.join());
  assert.ok(messages.includes('import interrupted'), messages.join());
  assert.ok(messages.includes('stopped'), messages.join());
  assert.ok(looks > 0 && looks < MANY / 2, `it has looked at ${looks} blobs`);
  assert.deepEqual(
    (await seen(one.data)).filter((name) => !name.startsWith('blobs')),
    [],
  );
  assert.equal((await seen(one.data)).length, MANY);
}

suite('SIGTERM while a store is looked through whose index was lost', { timeout: 60_000 }, () => {
  test('ends a preload that waits for it, and the next start does what was left', async () => {
    await using one = await place();
    await using server = await looking(one, ['--preload', one.bundle]);
    await server.said(/"msg":"import begun"/);
    const ended = await server.end();
    assert.ok(!ended.messages.includes('serving'), ended.messages.join());
    await check(one, ended);
    const child = spawn(LAUNCHER, ['serve', '--config', one.config, '--preload', one.bundle], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let log = '';
    for await (const data of child.stdout) {
      log += String(data);
      if (log.includes('"msg":"serving"')) child.kill('SIGTERM');
    }
    assert.deepEqual(await exited, [0, null]);
    assert.match(log, /"images":1,"blobs":11,.*"msg":"preload: imported"/);
    await using there = await openWorld({ folder: one.data });
    assert.ok(await there.store.tags.get(APP, parseTag('latest')));
  });

  test('ends an import that waits for it with a server', async () => {
    await using one = await place();
    await using server = await looking(one);
    const [, admin = ''] = await server.said(/"admin":"([^"]+)".*"msg":"serving"/);
    const sent = request(`http://${admin}/api/v1/import`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/vnd.layover.import' },
    });
    sent.on('error', () => {});
    sent.write('{"name":"one.tar"}\n');
    sent.end(await readFile(one.bundle));
    await server.said(/"msg":"import begun"/);
    await check(one, await server.end());
  });
});

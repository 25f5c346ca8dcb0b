import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { suite, test } from 'node:test';
import { temporaryFolder } from '../fixtures/temporary.ts';

const SCRIPT = await readFile(
  new URL('../../charts/layover/files/keep-nodes.cjs', import.meta.url),
  'utf8',
);

async function keeping(line: readonly string[], main: string) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const file = path.join(folder.path, 'main.cjs');
  await writeFile(file, main);
  const child = spawn(process.execPath, ['--eval', SCRIPT, ...line], {
    env: { EVERY: '0.05', MAIN: file },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const whole = stack.move();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  return { child, ended, next, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

suite('keeping the files of a node', () => {
  test('does what it is told again and again, also after a failure', async () => {
    const main = 'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 1;';
    await using kept = await keeping(['--', 'setup', '--quiet'], main);
    for (const _ of [1, 2, 3]) assert.equal(await kept.next(), '["setup","--quiet"]');
    kept.child.kill('SIGTERM');
    assert.deepEqual(await kept.ended, [0, null]);
  });

  test('ends at once, with what it runs', async () => {
    const main = 'console.log(1); process.on("SIGTERM", () => {}); setInterval(() => {}, 9e6);';
    await using kept = await keeping(['--', 'setup'], main);
    await kept.next();
    kept.child.kill('SIGTERM');
    // Closed is what both of them write to.
    assert.deepEqual(await kept.ended, [0, null]);
  });

  test('stands by without anything to do', async () => {
    await using idle = await keeping([], 'console.log("ran")');
    await using busy = await keeping(['--', 'setup'], 'console.log("ran")');
    for (const _ of [1, 2, 3]) await busy.next();
    idle.child.kill('SIGTERM');
    assert.deepEqual(await idle.ended, [0, null]);
    assert.equal(await idle.next(), 'undefined');
  });
});

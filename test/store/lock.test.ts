import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { lockStore } from '../../src/store/lock.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const HOLD = `
  const { lockStore } = await import(process.argv[1]);
  const { Paths } = await import(process.argv[2]);
  lockStore(new Paths(process.argv[3]), { pid: process.pid, admin: 'there' });
  console.log('held');
  setInterval(() => {}, 1000);
`;

test('one server a store, until it ends, however it ends', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const lock = import.meta.resolve('../../src/store/lock.ts');
  const names = import.meta.resolve('../../src/store/paths.ts');
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    HOLD,
    lock,
    names,
    folder.path,
  ]);
  try {
    await once(child.stdout, 'data');
    assert.throws(
      () => lockStore(paths, { pid: process.pid, admin: 'here' }),
      (error: unknown) =>
        error instanceof RegistryError && error.message.includes(`process ${child.pid} serves it`),
    );
  } finally {
    child.kill('SIGKILL');
  }
  await once(child, 'exit');
  {
    using _held = lockStore(paths, { pid: process.pid, admin: 'here' });
    assert.throws(() => lockStore(paths, { pid: process.pid, admin: 'again' }), RegistryError);
  }
  lockStore(paths, { pid: process.pid, admin: 'here' })[Symbol.dispose]();
});

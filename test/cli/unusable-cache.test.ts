import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRegistry } from '../fixtures/registry.ts';
import { file, tarOf } from '../fixtures/layer-builder.ts';
import { session } from './session.ts';

test('a cache in a folder that there cannot be: a word about it, and the image all the same', async (t) => {
  if (process.platform !== 'linux') return t.skip('no /proc here');
  await using registry = await startRegistry();
  registry.addImage('team/app', '1', { layers: [tarOf([file('etc/name', 'x')])] });
  await using at = await session();
  const { child, ran } = at.start(['ls', '--cache', '/proc/nope', `${registry.host}/team/app:1`]);
  // What hangs in the system is ended by nothing less.
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const { code, out, error } = await ran;
  clearTimeout(late);
  assert.deepEqual([code, out], [0, '/etc/name\n/etc/\n'], error);
  assert.match(
    error,
    /^layover: the cache in \/proc\/nope is not used: it cannot be written: ENOENT: .*'\/proc\/nope'; --cache names another folder, --no-cache does without$/m,
  );
});

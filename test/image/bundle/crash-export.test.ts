import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { changesOf, killedProcess, type Killed } from '../../fixtures/killed-process.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { exported, filled, openWorld } from './world.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

const world = await openWorld();
const template = await temporaryFolder();
after(async () => {
  await world[Symbol.asyncDispose]();
  await template[Symbol.asyncDispose]();
});
await filled(world);
const { bytes: right } = await exported(world, ['docker.io/**']);

/** Exports in a process of its own, which is killed before its nth change to the folder. */
async function run(name: string, killAt?: number): Promise<Killed & { readonly folder: string }> {
  const folder = path.join(template.path, name);
  await mkdir(folder, { recursive: true });
  const script = path.join(HERE, 'crash-export-child.ts');
  const compiled = path.join(template.path, 'compiled');
  const killed = await killedProcess({
    script,
    arguments: [world.folder, folder],
    compiled,
    killAt,
  });
  return { ...killed, folder };
}

const operations = changesOf(await run('whole'));

suite('an export that is killed', { concurrency: 2 }, () => {
  assert.ok(operations.length > 20, 'the changes are seen');
  for (const [index, { kind }] of operations.entries()) {
    // Every fifth of the writes tells as much as all of them.
    if (kind === 'sync' || kind === 'datasync' || (kind === 'write' && index % 5 > 0)) continue;
    test(`before change ${index + 1}: ${kind}`, async () => {
      const { folder } = await run(`killed-${index + 1}`, index + 1);
      const found = await readFile(path.join(folder, 'bundle.tar')).catch(() => undefined);
      assert.ok(found === undefined || found.equals(right), 'the archive is whole or not there');
      await run(`killed-${index + 1}`);
      assert.deepEqual((await readdir(folder)).toSorted(), ['bundle.tar', 'bundle.tar.lock.json']);
      assert.ok((await readFile(path.join(folder, 'bundle.tar'))).equals(right));
    });
  }
});

test('an export that is given up leaves nothing', async () => {
  const folder = path.join(template.path, 'given-up');
  await mkdir(folder);
  const given = new AbortController();
  await assert.rejects(
    exported(world, ['docker.io/**'], {
      file: path.join(folder, 'bundle.tar'),
      signal: given.signal,
      progress: () => given.abort(new Error('given up')),
    }),
    /given up/,
  );
  assert.deepEqual(await readdir(folder), []);
});

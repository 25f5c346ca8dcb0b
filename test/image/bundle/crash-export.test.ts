import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { changesOf, killedProcess, type Killed } from '../../fixtures/killed-process.ts';
import { parseImagePattern } from '../../../src/core/image-pattern.ts';
import { exportBundle } from '../../../src/image/bundle/export.ts';
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

test('where the lock cannot be written the archive before stays', async () => {
  const folder = path.join(template.path, 'no-lock');
  await mkdir(folder);
  const file = path.join(folder, 'bundle.tar');
  await writeFile(file, 'the one before');
  const lock = path.join(folder, 'none', 'lock.json');
  await assert.rejects(exported(world, ['docker.io/**'], { file, lock }), /lock\.json: its folder/);
  assert.equal(await readFile(file, 'utf8'), 'the one before');
  assert.deepEqual(await readdir(folder), ['bundle.tar']);
});

test('into standard output goes the same archive, and no lock unless that is said', async () => {
  const chunks: Buffer[] = [];
  const stdout = async (chunk: Uint8Array): Promise<void> => void chunks.push(Buffer.from(chunk));
  const before = await readdir(process.cwd());
  await exportBundle({
    store: world.folder,
    patterns: [parseImagePattern('docker.io/**')].filter((one) => one !== undefined),
    platforms: 'stored',
    referrers: 'stored',
    file: '-',
    lock: undefined,
    stdout,
  });
  assert.ok(Buffer.concat(chunks).equals(right));
  assert.deepEqual(await readdir(process.cwd()), before);
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

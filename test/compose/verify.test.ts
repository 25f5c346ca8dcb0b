import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { digestOf } from '../../src/core/digest.ts';
import { diskStore } from '../../src/store/disk.ts';
import { Paths } from '../../src/store/paths.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function verify(storage: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const line = ['verify', '--storage', storage];
  const child = execFile(LAUNCHER, line, (_error, stdout, stderr) =>
    resolve({ code: child.exitCode, stdout, stderr }),
  );
  return promise;
}

test('a store that is not there is an error and stays away; so does a folder that is none', async () => {
  await using folder = await temporaryFolder();
  await mkdir(path.join(folder.path, 'empty'));
  for (const name of ['typo', 'empty']) {
    const storage = path.join(folder.path, name);
    const { code, stdout, stderr } = await verify(storage);
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, `layover: there is no store in ${storage}, which storage.path names\n`);
  }
  assert.deepEqual(await readdir(folder.path, { recursive: true }), ['empty']);
});

test('a store that is there is read, and what is wrong in it set aside', async () => {
  await using folder = await temporaryFolder();
  const paths = new Paths(folder.path);
  const store = await diskStore({ paths });
  const before = await readdir(folder.path);
  const sound = await verify(folder.path);
  assert.deepEqual([sound.code, sound.stderr], [0, '0 blobs, 0 B verified, all right\n']);
  assert.deepEqual(await readdir(folder.path), before);
  const digest = digestOf(Buffer.from('right'));
  await writeFile(paths.blob(digest), 'wrong');
  const found = await verify(folder.path);
  assert.deepEqual([found.code, found.stdout], [1, `${digest} wrong-digest 5\n`]);
  assert.equal(await store.size(digest), undefined);
});

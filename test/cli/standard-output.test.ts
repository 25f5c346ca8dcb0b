import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { openPlace } from '../../src/image/archive/open-place.ts';
import { file, tarOf } from '../fixtures/layer-builder.ts';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { session, type Session } from './session.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const LAYER = gzipSync(tarOf([file('etc/name', 'x'.repeat(200_000))]));

interface World extends AsyncDisposable {
  readonly registry: Registry;
  readonly at: Session;
  readonly image: string;
}

async function world(): Promise<World> {
  const registry = await startRegistry();
  registry.addImage('team/app', '1', { layers: [LAYER] });
  const at = await session();
  return {
    registry,
    at,
    image: `${registry.host}/team/app:1`,
    async [Symbol.asyncDispose]() {
      await at[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** That it is an archive with the image in it. */
async function holdsImage(
  place: string,
  host: string,
  kind: 'docker-archive' | 'oci-archive' = 'docker-archive',
): Promise<void> {
  await using read = await openPlace({ kind, file: place });
  assert.equal(read.repository.host, host);
}

test('standard output gets an archive, and nothing else', async () => {
  await using place = await world();
  const { at, registry, image } = place;
  await symlink('/proc/self/fd/1', path.join(at.folder, 'out'));
  for (const name of ['-', 'out']) {
    for (const [format, kind] of [
      ['docker', 'docker-archive'],
      ['oci-archive', 'oci-archive'],
    ] as const) {
      const { code, data, error } = await at.layover([
        'pull',
        '--format',
        format,
        '-o',
        name,
        image,
      ]);
      assert.equal(code, 0, error);
      assert.match(error, /saved .*team\/app:1/);
      assert.deepEqual(await at.files(), ['out']);
      const kept = path.join(at.home, 'app.tar');
      await writeFile(kept, data);
      await holdsImage(kept, registry.host, kind);
    }
  }
  assert.equal(await readlink(path.join(at.folder, 'out')), '/proc/self/fd/1');
  const raw = await at.layover(['get', '-o', '-', '--raw', '--layer', '0', image]);
  assert.deepEqual([raw.code, raw.data.equals(LAYER)], [0, true], raw.error);
  const layer = await at.layover(['layer', '-o', '-', image, '0']);
  assert.deepEqual([layer.code, layer.data.equals(LAYER)], [0, true], layer.error);
  const copied = await at.layover(['copy', image, 'docker-archive:-']);
  assert.ok(copied.data.includes('manifest.json'), copied.error);
  assert.deepEqual(await at.files(), ['out']);
});

test('what cannot go to standard output is refused, and what fails writes nothing there', async () => {
  await using place = await world();
  const { at, registry, image } = place;
  for (const [line, says] of [
    [['pull', '--format', 'oci', '-o', '-', image], /--format oci-archive/],
    [['pull', '--json', '-o', '-', image], /no place for --json/],
    [['pull', '--json', '-o', '/dev/stdout', image], /no place for --json/],
    [['get', '-o', '-', image, '/etc'], /printed by cat/],
  ] as const) {
    const { code, out, error } = await at.layover(line);
    assert.deepEqual([code, out], [2, ''], error);
    assert.match(error, says);
  }
  registry.misbehave({ path: /\/blobs\// }, { kind: 'flip', at: 20 });
  const { code, out } = await at.layover(['pull', '--no-cache', '-o', '-', image]);
  assert.deepEqual([code, out, await at.files()], [1, '', []]);
});

test('a link to nothing gets what it leads to', async () => {
  await using place = await world();
  const { at, registry, image } = place;
  const link = path.join(at.folder, 'dl');
  await symlink('nowhere.tar', link);
  const ran = await at.layover(['pull', '-o', 'dl', image]);
  assert.equal(ran.code, 0, ran.error);
  assert.ok((await lstat(link)).isSymbolicLink());
  assert.ok((await lstat(path.join(at.folder, 'nowhere.tar'))).isFile());
  await holdsImage(path.join(at.folder, 'nowhere.tar'), registry.host);
  await symlink('one', path.join(at.folder, 'two'));
  await symlink('two', path.join(at.folder, 'one'));
  const circle = await at.layover(['pull', '-o', 'one', image]);
  assert.equal(circle.code, 1);
  assert.match(circle.error, /layover: cannot write one: its links lead in a circle/);
});

test('pipes of the shell, named pipes and descriptors', async () => {
  await using place = await world();
  const { at, registry, image } = place;
  assert.equal(spawnSync('mkfifo', [path.join(at.folder, 'pipe')]).status, 0);
  await symlink('/proc/self/fd/3', path.join(at.folder, 'three'));
  const pull = `"$0" --disable-warning=ExperimentalWarning "$1" pull -q "$2" -o`;
  for (const [name, script] of [
    ['piped', `${pull} - | cat`],
    ['named', `cat pipe & ${pull} pipe; wait`],
    ['numbered', `${pull} three 3>&1 | cat`],
    ['appended', `${pull} three 3> "$HOME/three.tar"; cat "$HOME/three.tar"`],
  ] as const) {
    const child = spawn('sh', ['-c', script, process.execPath, MAIN, image], {
      cwd: at.folder,
      env: { PATH: process.env['PATH'], HOME: at.home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [data] = await Promise.all([buffer(child.stdout), once(child, 'close')]);
    const kept = path.join(at.home, `${name}.tar`);
    await writeFile(kept, data);
    await holdsImage(kept, registry.host);
  }
  assert.deepEqual(await at.files(), ['pipe', 'three']);
  assert.ok((await lstat(path.join(at.folder, 'pipe'))).isFIFO());
  assert.equal((await readFile(path.join(at.home, 'piped.tar'))).length % 512, 0);
});

test('Ctrl-C while nobody reads the pipe', async () => {
  await using place = await world();
  const { at, image } = place;
  assert.equal(spawnSync('mkfifo', [path.join(at.folder, 'pipe')]).status, 0);
  const { child, ran } = at.start(['pull', '-o', 'pipe', image]);
  // Config and layer have been told: nothing is left but the pipe.
  let told = '';
  const all = (chunk: Buffer): void => {
    told += String(chunk);
    if (told.split(' done\n').length < 3) return;
    child.stderr?.off('data', all);
    child.kill('SIGINT');
  };
  child.stderr?.on('data', all);
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const { code, error } = await ran;
  clearTimeout(late);
  assert.equal(code, 130, error);
  assert.deepEqual(await at.files(), ['pipe']);
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Importer } from '../../src/compose/importer.ts';
import { preload } from '../../src/compose/preload.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { parseTag } from '../../src/core/reference.ts';
import { Paths } from '../../src/store/paths.ts';
import { tarHeader, TRAILER } from '../../src/image/archive/tar-write.ts';
import { storedDigests } from '../../src/store/stored.ts';
import { collect } from '../fixtures/collect.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { APP, exported, filled, openWorld, tag } from '../image/bundle/world.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

/** Starts a server and tells what it said until it was asked to end, or ended by itself. */
async function serving<T>(
  flags: readonly string[],
  task: (port: number) => Promise<T>,
): Promise<{ readonly code: number | null; readonly log: string; readonly result: T | undefined }> {
  const child = spawn(LAUNCHER, ['serve', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const errors = collect(child.stderr);
  let log = '';
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const port = new Promise<number | undefined>((resolve) => {
    void ended.then(() => resolve(undefined));
    child.stdout.on('data', (data: Buffer) => {
      log += String(data);
      const found = /"port":(\d+).*"msg":"serving"/.exec(log)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
  });
  const opened = await port;
  let result: T | undefined;
  try {
    if (opened !== undefined) result = await task(opened);
  } finally {
    if (child.exitCode === null) child.kill('SIGTERM');
  }
  const [code] = await ended;
  return { code, log: `${log}${String(await errors)}`, result };
}

const status = async (port: number, at: string): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/${at}`);
  await answer.arrayBuffer();
  return answer.status;
};

/** It answers, so it minds signals. */
const alive = (port: number): Promise<number> => status(port, '');

async function place(more = 'offline: true') {
  const folder = await temporaryFolder();
  const config = path.join(folder.path, 'layover.yaml');
  const text = `listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nstorage: { path: ${folder.path}/data, minFree: 0 }\n${more}\n`;
  await writeFile(config, text);
  const bundle = path.join(folder.path, 'one.tar');
  await using here = await openWorld();
  const image = await filled(here);
  await exported(here, ['docker.io/**'], { file: bundle });
  return {
    folder: folder.path,
    config,
    bundle,
    image,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

suite('serve --preload', () => {
  test('imports before it listens, and reads nothing of it a second time', async () => {
    await using one = await place();
    const flags = ['--config', one.config, '--preload', path.join(one.folder, '*.tar')];
    const first = await serving(flags, (port) => status(port, 'library/app/manifests/latest'));
    assert.equal(first.result, 200);
    assert.match(first.log, /"images":1,"blobs":11,.*"msg":"preload: imported"/);
    assert.equal(first.code, 0);
    // Were it read, it would be seen to be something else by now.
    const { size, atime, mtime } = await stat(one.bundle);
    await writeFile(one.bundle, Buffer.alloc(size));
    await utimes(one.bundle, atime, mtime);
    const second = await serving(flags, (port) => status(port, 'library/app/manifests/latest'));
    assert.equal(second.result, 200);
    assert.match(second.log, /preload: everything is here already/);
    await utimes(one.bundle, atime, new Date());
    const third = await serving(flags, alive);
    assert.equal(third.code, 1);
    assert.match(third.log, /one\.tar is not an image archive/);
    assert.equal(third.result, undefined);
  });

  test('imports again what has been pruned since', async () => {
    await using one = await place();
    const flags = ['--config', one.config, '--preload', one.bundle];
    await serving(flags, alive);
    const paths = new Paths(path.join(one.folder, 'data'));
    await rm(paths.import(APP, one.image.index.descriptor.digest));
    const again = await serving(flags, alive);
    assert.match(again.log, /preload: imported/);
  });

  test('a tag that is here and means something else stays', async () => {
    await using one = await place();
    await using there = await openWorld();
    await filled(there, 'other');
    const other = path.join(one.folder, 'other.tar');
    await exported(there, ['docker.io/**'], { file: other });
    const patterns = `${one.bundle},${other}`;
    const flags = ['--config', one.config, '--preload', patterns];
    const { log, result, code } = await serving(flags, async (port) => {
      const answer = await fetch(`http://127.0.0.1:${port}/v2/library/app/manifests/latest`);
      return answer.headers.get('docker-content-digest');
    });
    assert.equal(code, 0);
    assert.equal(result, one.image.index.descriptor.digest);
    assert.match(log, /the tag means another/);
  });

  test('nothing that fits is a reason not to start', async () => {
    await using one = await place();
    const flags = ['--config', one.config, '--preload', path.join(one.folder, '*.zip')];
    const { code, log } = await serving(flags, alive);
    assert.equal(code, 1);
    assert.match(log, /--preload: no file fits .*\*\.zip/);
  });

  test('what a file of names lists is fetched', async () => {
    await using origin = await startRegistry();
    origin.addImage('library/x', '1', { layers: [{ size: 1_000, seed: 3 }] });
    await using one = await place(`upstreams: { docker.io: { url: "${origin.url}" } }`);
    const list = path.join(one.folder, 'images.txt');
    await writeFile(list, '# what is wanted\ndocker.io/library/x:1\n');
    const flags = ['--config', one.config, '--preload', list];
    const { log, code } = await serving(flags, alive);
    assert.match(log, /"images":1,.*"msg":"preload: fetched"/);
    assert.equal(code, 0);
    const asked = origin.requests.length;
    await writeFile(list, 'docker.io/library/nope:1\n');
    const failed = await serving(flags, alive);
    assert.equal(failed.code, 1);
    assert.match(failed.log, /--preload: .*images\.txt: docker\.io\/library\/nope:1/);
    assert.ok(asked > 0);
  });
});

/** Starts a server, has it end once its log has such a line, and tells how it ended. */
async function endedAt(flags: readonly string[], line: RegExp) {
  const child = spawn(LAUNCHER, ['serve', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  let log = '';
  let asked = false;
  child.stdout.on('data', (data: Buffer) => {
    log += String(data);
    if (!asked && line.test(log)) asked = child.kill('SIGTERM');
  });
  const [code, signal] = await exited;
  assert.ok(asked, `it ended by itself: ${log}`);
  const messages = [...log.matchAll(/"msg":"([^"]+)/g)].map(([, message = '']) => message);
  return { code, signal, log, messages };
}

for (const [what, name] of [
  ['what fits', '*.tar'],
  ['nothing that fits', '*.zip'],
]) {
  test(`a walk that comes upon ${what} ends with its signal, wherever it is`, async () => {
    await using world = await openWorld();
    const { store, hosted, config } = world;
    await using importer = new Importer({ store, hosted, config: () => config });
    await using tree = await temporaryFolder();
    for (let at = 0; at < 20; at += 1) {
      await mkdir(path.join(tree.path, String(at), 'deeper'), { recursive: true });
      await writeFile(path.join(tree.path, String(at), 'deeper', 'one.tar'), 'no archive');
    }
    const ending = new AbortController();
    const { signal } = ending;
    const reason = new RegistryError('INTERRUPTED', 'it ends');
    let asked = 0;
    // Each place of the walk asks: in the middle of it the end comes.
    const throwIfAborted = signal.throwIfAborted.bind(signal);
    signal.throwIfAborted = () => {
      if ((asked += 1) === 15) ending.abort(reason);
      throwIfAborted();
    };
    const loading = preload({
      patterns: [path.join(tree.path, '**', String(name))],
      store,
      importer,
      prefetch: async () => assert.fail('nothing is fetched'),
      environment: {},
      signal,
      observe: () => assert.fail('nothing is loaded'),
    });
    await assert.rejects(loading, reason);
    assert.equal(asked, 15);
  });
}

suite('SIGTERM before anybody is served', { timeout: 60_000 }, () => {
  test('in the middle of an import: nothing of it is visible, and what came before need not be read again', async () => {
    await using one = await place();
    // All of it has come, and thousands of empty files come behind: it is not over.
    const nothing = tarHeader({ name: 'nothing', size: 0 });
    const long = path.join(one.folder, 'two.tar.gz');
    await using other = await openWorld();
    const name = parseTag('second');
    const image = await filled(other, 'second');
    await tag(other.store, APP, name, image.index.descriptor);
    const { bytes } = await exported(other, ['docker.io/library/app:second']);
    const longer = [bytes.subarray(0, -TRAILER.length), ...Array<Buffer>(20_000).fill(nothing)];
    await writeFile(long, gzipSync(Buffer.concat([...longer, TRAILER])));
    const flags = ['--config', one.config, '--preload', one.bundle, long];
    const ended = await endedAt(flags, /two\.tar\.gz","msg":"import begun"/);
    assert.deepEqual([ended.code, ended.signal], [0, null], ended.log);
    assert.deepEqual(ended.messages.slice(-3), ['import interrupted', 'draining', 'stopped']);
    assert.ok(!ended.messages.includes('serving'));
    {
      await using store = await openWorld({ folder: path.join(one.folder, 'data') });
      assert.equal(await store.store.tags.get(APP, name), undefined);
      const { index } = store.store.housekeeping;
      for await (const digest of storedDigests(store.store.paths)) {
        assert.ok(index.links.repositoriesOf(digest).length > 0, `${digest} is left over`);
      }
    }
    const again = await serving(['--config', one.config, '--preload', one.bundle], alive);
    assert.match(again.log, /preload: everything is here already/);
  });

  test('while an upstream does not answer', async () => {
    await using origin = await startRegistry();
    origin.misbehave({}, { kind: 'never-answer' });
    await using one = await place(
      `drain: 200ms\nupstreams: { docker.io: { url: "${origin.url}" } }`,
    );
    const list = path.join(one.folder, 'images.txt');
    await writeFile(list, 'docker.io/library/x:1\n');
    const flags = ['--config', one.config, '--preload', list];
    const ended = await endedAt(flags, /"msg":"prefetch begun"/);
    assert.deepEqual([ended.code, ended.signal], [0, null], ended.log);
    assert.deepEqual(ended.messages.slice(-2), ['draining', 'stopped']);
    assert.ok(!ended.messages.includes('serving'));
  });
});

test('serve --hello-world serves an image of its own, offline, from a folder that goes with it', async () => {
  await using folder = await temporaryFolder();
  const config = path.join(folder.path, 'layover.yaml');
  await writeFile(config, `admin: { listen: 127.0.0.1:0 }\n`);
  const flags = ['--config', config, '--listen', '127.0.0.1:0', '--hello-world'];
  const { log, code, result } = await serving(flags, async (port) => [
    await status(port, 'library/hello-world/manifests/latest'),
    await status(port, 'docker.io/library/hello-world/manifests/latest'),
    await status(port, 'library/busybox/manifests/latest'),
  ]);
  assert.deepEqual(result, [200, 200, 404]);
  assert.equal(code, 0);
  assert.match(log, /^to try it: docker run --rm 127\.0\.0\.1:\d+\/library\/hello-world$/m);
  const storage = /"storage":"([^"]+)"/.exec(log)?.[1];
  assert.ok(storage !== undefined && storage !== folder.path);
  await assert.rejects(access(storage), { code: 'ENOENT' });
});

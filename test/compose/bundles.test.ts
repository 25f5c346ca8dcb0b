import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Choices } from '../../src/cli/actions.ts';
import { bundlesOf } from '../../src/compose/bundles.ts';
import { upkeepOf } from '../../src/compose/upkeep.ts';
import { load } from '../../src/config/load.ts';
import { pino } from 'pino';
import { importLog } from '../../src/compose/import-log.ts';
import { parsePlatform } from '../../src/core/platform.ts';
import { failsWith } from '../image/archive/source-contract.ts';
import { timesOpen } from '../fixtures/open-files.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { exported, filled, flipped, manyPlatforms, openWorld } from '../image/bundle/world.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));
const CHOICES: Choices = { config: undefined, overrides: [] };
const SHOWN = {
  stdout: async () => {},
  begin: () => {},
  progress: () => {},
  signal: new AbortController().signal,
} as const;
const IMPORT = {
  ...CHOICES,
  ...SHOWN,
  stdin: Readable.from([]),
  lock: undefined,
  as: undefined,
  platforms: [],
  tags: 'keep',
} as const;

/** A bundle, and a folder for a store with a configuration. */
async function place(more = '') {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const here = stack.use(await openWorld());
  const image = await filled(here);
  const { file, bytes } = await exported(here, ['docker.io/**']);
  const name = path.join(folder.path, 'layover.yaml');
  const text = `listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nstorage: { path: ${folder.path}/data, minFree: 0 }\n${more}\n`;
  await writeFile(name, text);
  const { config } = load({ file: { name, text }, environment: {}, overrides: [] });
  const whole = stack.move();
  return {
    image,
    file,
    bytes,
    folder: folder.path,
    config,
    name,
    bundles: bundlesOf(async () => config),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}

async function served(config: string, flags: readonly string[] = []) {
  const child = spawn(LAUNCHER, ['serve', '--config', config, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const found = Promise.withResolvers<{ port: number; admin: string }>();
  child.stdout.on('data', (data: Buffer) => {
    log += String(data);
    const match = /"port":(\d+).*"admin":"([^"]+)".*"msg":"serving"/.exec(log);
    if (match?.[1] !== undefined && match[2] !== undefined)
      found.resolve({ port: Number(match[1]), admin: match[2] });
  });
  child.stderr.on('data', (data: Buffer) => (log += String(data)));
  child.on('exit', () => found.reject(new Error(`it ended: ${log}`)));
  const { port, admin } = await found.promise;
  const get = (at: string) => fetch(`http://127.0.0.1:${port}/v2/${at}`);
  return {
    get,
    admin,
    log: () => log,
    url: (at: string) => `http://127.0.0.1:${port}/${at}`,
    /** Settles once the log has such a line. */
    async told(line: RegExp): Promise<void> {
      while (!line.test(log)) {
        assert.equal(child.exitCode, null, `it has ended: ${log}`);
        await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

suite('import', () => {
  test('with a server, which answers for the upstream at once, though it is offline', async () => {
    await using one = await place('offline: true');
    await using server = await served(one.name);
    const before = await server.get('library/app/manifests/latest');
    assert.equal(before.status, 404);
    assert.match(await before.text(), /offline/);
    const imported = await one.bundles.import({ ...IMPORT, file: one.file });
    assert.equal(imported.blobs, 11);
    for (const at of ['library/app/manifests/latest', 'docker.io/library/app/manifests/latest']) {
      const answer = await server.get(at);
      assert.equal(answer.status, 200);
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), Buffer.from(one.image.index.bytes));
    }
    const { digest } = one.image.index.descriptor;
    const referrers = await server.get(`library/app/referrers/${digest}?ns=docker.io`);
    assert.match(await referrers.text(), new RegExp(one.image.signed.descriptor.digest));
    const tags = await server.get('library/app/tags/list?ns=docker.io');
    assert.deepEqual(await tags.json(), { name: 'library/app', tags: ['latest'] });
    for (const { digest } of [...one.image.parts.first, ...one.image.parts.second].slice(1)) {
      const blob = await server.get(`library/app/blobs/${digest}`);
      assert.equal(blob.status, 200, digest);
      await blob.arrayBuffer();
    }
    // Another repository has no right to any of it.
    const config = one.image.first.config.digest;
    assert.equal((await server.get(`library/other/blobs/${config}`)).status, 404);
  });

  test('a server counts them, how they ended and how much of them has been read', async () => {
    await using one = await place('offline: true');
    await using server = await served(one.name);
    const told = async (name: string): Promise<number> => {
      const text = await (await fetch(server.url('metrics'))).text();
      const line = text.split('\n').find((line) => line.startsWith(`layover_${name} `));
      return Number(line?.split(' ').at(-1));
    };
    assert.equal(await told('imports_total{result="imported"}'), 0);
    const { bytes } = await one.bundles.import({ ...IMPORT, file: one.file });
    assert.equal(await told('imports_total{result="imported"}'), 1);
    assert.equal(await told('imported_images_total{outcome="new"}'), 1);
    assert.equal(await told('imported_bytes_total'), bytes);
    assert.equal(await told('import_read_bytes_total'), one.bytes.length);
    const damaged = path.join(one.folder, 'damaged.tar');
    await writeFile(damaged, flipped(one.bytes, one.bytes.length - 3_000));
    await assert.rejects(one.bundles.import({ ...IMPORT, file: damaged }));
    assert.equal(await told('imports_total{result="refused"}'), 1);
    assert.equal(await told('imports_total{result="imported"}'), 1);
    // One that is cut while the server takes it in.
    const sent = request(`http://${server.admin}/api/v1/import`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/vnd.layover.import' },
    });
    sent.on('error', () => {});
    const query = { name: 'cut.tar', platforms: [], tags: 'keep' };
    sent.write(`${JSON.stringify(query)}\n`);
    sent.write(one.bytes.subarray(0, 2_000));
    await server.told(/"archive":"cut\.tar".*"msg":"import begun"/);
    assert.equal(await told('imports_in_flight'), 1);
    sent.destroy();
    await server.told(/"archive":"cut\.tar".*"msg":"import (?:interrupted|refused)"/);
    assert.equal(await told('imports_total{result="interrupted"}'), 1);
    assert.equal(await told('imports_in_flight'), 0);
  });

  test('without a server the same, and the next one finds it', async () => {
    await using one = await place('offline: true');
    const imported = await one.bundles.import({ ...IMPORT, file: one.file });
    assert.equal(imported.images[0]?.outcome, 'new');
    const { total, kept } = await upkeepOf(async () => one.config).usage(CHOICES);
    assert.deepEqual([total.blobs, kept], [11, total]);
    await using server = await served(one.name);
    assert.equal((await server.get('library/app/manifests/latest')).status, 200);
    const again = await one.bundles.import({ ...IMPORT, file: one.file });
    assert.deepEqual([again.blobs, again.images[0]?.outcome], [0, 'same']);
  });

  test('what a server refuses is said as if there were none', async () => {
    await using one = await place('offline: true');
    await using _server = await served(one.name);
    const bad = path.join(one.folder, 'bad.tar');
    await writeFile(bad, flipped(one.bytes, one.bytes.indexOf('signed ')));
    await assert.rejects(
      one.bundles.import({ ...IMPORT, file: bad }),
      failsWith('DIGEST_INVALID', /bad\.tar is damaged/),
    );
    // More than any socket buffers: the server says no long before the end.
    await writeFile(bad, Buffer.concat([flipped(one.bytes, 1), Buffer.alloc(64 * 1024 * 1024)]));
    await assert.rejects(
      one.bundles.import({ ...IMPORT, file: bad }),
      failsWith('MANIFEST_INVALID', /bad\.tar is not an image archive/),
    );
    await assert.rejects(
      one.bundles.import({ ...IMPORT, file: one.file, as: 'nowhere.test/x:1' }),
      failsWith('NAME_UNKNOWN', /upstreams\.nowhere\.test/),
    );
  });

  test('whoever gives up in the middle leaves nothing with the server', async () => {
    await using one = await place('offline: true');
    await using server = await served(one.name);
    const url = new URL('/api/v1/import', `http://${server.admin}`);
    const headers = { 'Content-Type': 'application/vnd.layover.import' };
    const sent = request(url, { method: 'POST', headers });
    sent.on('error', () => {});
    sent.write('{"name":"half.tar"}\n');
    await new Promise((resolve) => sent.write(one.bytes.subarray(0, 8_000), resolve));
    sent.destroy();
    const imported = await one.bundles.import({ ...IMPORT, file: one.file });
    assert.equal(imported.images.length, 1);
    assert.equal((await server.get('library/app/manifests/latest')).status, 200);
  });

  test('a server that ends does not wait for who stands still', async () => {
    await using one = await place('offline: true');
    const server = await served(one.name);
    const url = new URL('/api/v1/import', `http://${server.admin}`);
    const headers = { 'Content-Type': 'application/vnd.layover.import' };
    const sent = request(url, { method: 'POST', headers });
    sent.on('error', () => {});
    sent.write('{"name":"half.tar"}\n');
    await new Promise((resolve) => sent.write(one.bytes.subarray(0, 8_000), resolve));
    await server.get('');
    await server[Symbol.asyncDispose]();
    sent.destroy();
    const imported = await one.bundles.import({ ...IMPORT, file: one.file });
    assert.equal(imported.blobs, 11);
  });

  test('a browser cannot have anything imported', async () => {
    await using one = await place('offline: true');
    await using server = await served(one.name);
    const post = (headers: Record<string, string>) =>
      fetch(`http://${server.admin}/api/v1/import`, {
        method: 'POST',
        headers,
        body: Buffer.concat([Buffer.from('{"name":"x"}\n'), one.bytes]),
      });
    const own = 'application/vnd.layover.import';
    assert.equal((await post({ 'Content-Type': own, Origin: 'http://localhost' })).status, 403);
    assert.equal((await post({ 'Content-Type': 'text/plain' })).status, 400);
    assert.equal((await server.get('library/app/manifests/latest')).status, 404);
    assert.equal((await post({ 'Content-Type': own })).status, 200);
    assert.equal((await server.get('library/app/manifests/latest')).status, 200);
  });

  test('a server says, and writes down, which platforms the archive lacks', async () => {
    await using here = await openWorld();
    await filled(here);
    const platforms = [parsePlatform('arm64')];
    const { file } = await exported(here, ['docker.io/**'], { platforms, referrers: 'none' });
    await using one = await place('offline: true');
    await using _ = await served(one.name);
    const { images } = await one.bundles.import({ ...IMPORT, file });
    assert.deepEqual(images[0]?.without, ['linux/amd64']);
    let log = '';
    const logger = pino({}, { write: (line) => void (log += line) });
    importLog(logger, { imports: () => {} })({
      type: 'imported',
      name: file,
      imported: { images, places: [], blobs: 0, bytes: 0 },
      seconds: 1,
    });
    assert.match(log, /"without":\["linux\/amd64"\].*imported without platforms/);
  });

  test(
    'what is refused before its first byte is not left open',
    { skip: process.platform !== 'linux' },
    async () => {
      await using one = await place('offline: true');
      const lock = path.join(one.folder, 'no.lock.json');
      await writeFile(lock, '{}');
      for (const more of [{ as: 'NO' }, { lock }, { platforms: ['no/such/thing/as/this'] }]) {
        await assert.rejects(one.bundles.import({ ...IMPORT, file: one.file, ...more }));
        assert.equal(await timesOpen(one.file), 0, JSON.stringify(more));
      }
      const signal = AbortSignal.abort();
      await assert.rejects(one.bundles.import({ ...IMPORT, file: one.file, signal }));
      assert.equal(await timesOpen(one.file), 0);
      await using _held = await openWorld({ folder: path.join(one.folder, 'data') });
      await assert.rejects(
        one.bundles.import({ ...IMPORT, file: one.file }),
        failsWith('STORAGE_UNAVAILABLE'),
      );
      assert.equal(await timesOpen(one.file), 0);
    },
  );

  test('what lives here is pushed, as it were, and obeys the rules of pushes', async () => {
    const rules = `hosted: ['team/**']\noffline: true`;
    await using one = await place(rules);
    await using server = await served(one.name);
    const { images } = await one.bundles.import({ ...IMPORT, file: one.file, as: 'team/app:1' });
    assert.deepEqual(
      images.map(({ name }) => name),
      ['team/app:1'],
    );
    assert.equal((await server.get('team/app/manifests/1')).status, 200);
    const { digest } = one.image.index.descriptor;
    const referrers = await server.get(`team/app/referrers/${digest}`);
    assert.match(await referrers.text(), new RegExp(one.image.signed.descriptor.digest));
    const output = path.join(one.folder, 'out.tar');
    const { lock } = await one.bundles.export({
      ...CHOICES,
      ...SHOWN,
      patterns: ['team/app:1'],
      output,
      lock: `${output}.lock`,
      since: undefined,
      platforms: 'stored',
      referrers: 'all',
    });
    assert.deepEqual(
      lock.images.map(({ name, hosted, referrers }) => [name, hosted, referrers.length]),
      [['team/app:1', true, 1]],
    );
    assert.equal(lock.content.length, 11);
    await using other = await place('offline: true');
    await assert.rejects(
      other.bundles.import({ ...IMPORT, file: output }),
      failsWith('NAME_UNKNOWN', /team\/app:1: it lives in a mirror itself/),
    );
    await using third = await place(rules);
    assert.equal((await third.bundles.import({ ...IMPORT, file: output })).images.length, 1);
  });
});

test('what was imported goes when that is said, also offline, and nothing else does', async () => {
  await using one = await place('offline: true');
  await using server = await served(one.name);
  await one.bundles.import({ ...IMPORT, file: one.file });
  const upkeep = upkeepOf(async () => one.config);
  const query = { ...CHOICES, patterns: ['app:latest'], gone: 'spare' } as const;
  await assert.rejects(upkeep.prune(query), failsWith('STORAGE_UNAVAILABLE', /offline/));
  const imported = { ...query, imported: 'include' } as const;
  const planned = await upkeep.planPrune(imported);
  const { images, blobs } = await upkeep.prune(imported);
  assert.deepEqual([planned.images, planned.blobs], [images, blobs]);
  assert.equal(blobs, 11, 'with what refers to it');
  assert.equal((await server.get('library/app/manifests/latest')).status, 404);
  assert.equal((await upkeep.usage(CHOICES)).total.blobs, 0);
  const again = await one.bundles.import({ ...IMPORT, file: one.file });
  assert.equal(again.blobs, 11);
  assert.equal((await server.get('library/app/manifests/latest')).status, 200);
});

test('offline, what is not here is 404 with the reason, whatever is asked for', async () => {
  await using origin = await startRegistry();
  await using one = await place(
    `offline: true\nupstreams: { docker.io: { url: "${origin.url}" } }`,
  );
  await using server = await served(one.name);
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const at of [
    'library/x/manifests/1',
    `library/x/manifests/${digest}`,
    `library/x/blobs/${digest}`,
    'library/x/tags/list',
    `library/x/referrers/${digest}`,
  ]) {
    const answer = await server.get(at);
    assert.equal(answer.status, 404, at);
    assert.match(await answer.text(), /"OFFLINE".*docker\.io is not asked.*key offline/, at);
  }
  assert.equal(origin.requests.length, 0);
});

test('online, an imported tag is asked about like any other, and what was imported stays', async () => {
  await using origin = await startRegistry();
  const image = manyPlatforms();
  const newer = origin.addImage('library/app', 'latest', { layers: [{ size: 500, seed: 1 }] });
  await using one = await place(
    `upstreams: { docker.io: { url: "${origin.url}" } }\ntags: { freshFor: 0s }`,
  );
  await one.bundles.import({ ...IMPORT, file: one.file });
  await using server = await served(one.name);
  const answer = await server.get('library/app/manifests/latest');
  assert.equal(answer.headers.get('docker-content-digest'), newer.manifest.digest);
  const { digest } = image.index.descriptor;
  const kept = await server.get(`library/app/manifests/${digest}`);
  assert.equal(kept.status, 200);
  assert.match(kept.headers.get('cache-status') ?? '', /hit/);
});

test('an export reads a store that is being served, and says what it lacks', async () => {
  await using one = await place('offline: true');
  await using _server = await served(one.name);
  await one.bundles.import({ ...IMPORT, file: one.file });
  const output = path.join(one.folder, 'again.tar');
  const choices = {
    ...CHOICES,
    ...SHOWN,
    patterns: ['app:latest'],
    output,
    lock: `${output}.lock.json`,
    since: undefined,
    platforms: 'all',
    referrers: 'all',
  } as const;
  await one.bundles.export(choices);
  assert.deepEqual(await readFile(output), one.bytes);
  await assert.rejects(
    one.bundles.export({ ...choices, patterns: ['app:nope'] }),
    failsWith('MANIFEST_UNKNOWN', /docker\.io\/library\/app:nope.*layover prefetch/),
  );
});

suite('an archive out of a pipe', { skip: process.platform === 'win32' }, () => {
  const shell = (line: string): Promise<{ code: number; out: string; error: string }> =>
    new Promise((resolve) => {
      execFile('bash', ['-c', line], { timeout: 60_000 }, (failed, out, error) => {
        resolve({ code: failed === null ? 0 : Number(failed.code), out, error });
      });
    });

  for (const [name, line] of [
    ['standard input', 'cat FILE | LAYOVER import -'],
    ['standard input, which is a file', 'LAYOVER import - < FILE'],
    ['a process substitution', 'LAYOVER import <(cat FILE)'],
    ['a pipe with a name, opened late', 'mkfifo P; (sleep 1; cat FILE > P) & LAYOVER import P'],
    ['compressed', 'gzip -c FILE | LAYOVER import --lock FILE.lock.json -'],
  ] as const) {
    test(name, async () => {
      await using one = await place('offline: true');
      const { code, out, error } = await shell(
        line
          .replaceAll('FILE', one.file)
          .replaceAll(/\bP\b/g, path.join(one.folder, 'pipe'))
          .replace(/LAYOVER import/, `${LAUNCHER} import --config ${one.name}`),
      );
      assert.equal(code, 0, error);
      assert.match(out, /^docker\.io\/library\/app:latest {2}sha256:\w+ {2}new$/m);
    });
  }

  test('by way of a server', async () => {
    await using one = await place('offline: true');
    await using server = await served(one.name);
    const verb = `${LAUNCHER} import --config ${one.name}`;
    const cut = await shell(`head -c 5000 ${one.file} | ${verb} -`);
    assert.equal(cut.code, 1);
    assert.match(cut.error, /standard input/);
    assert.equal((await server.get('library/app/manifests/latest')).status, 404);
    const { code, error } = await shell(`${verb} <(cat ${one.file})`);
    assert.equal(code, 0, error);
    assert.equal((await server.get('library/app/manifests/latest')).status, 200);
  });

  test('one that breaks off leaves nothing, and a device is not said to be missing', async () => {
    await using one = await place('offline: true');
    const verb = `${LAUNCHER} import --config ${one.name}`;
    const cut = await shell(`head -c 5000 ${one.file} | ${verb} -`);
    assert.equal(cut.code, 1);
    assert.match(cut.error, /standard input/);
    const device = await shell(`${verb} /dev/null`);
    assert.match(device.error, /\/dev\/null is no regular file/);
    const lock = await shell(`${verb} --lock <(cat ${one.file}.lock.json) ${one.file}`);
    assert.match(lock.error, /\/dev\/fd\/\d+ is no regular file/);
  });

  test('nothing comes: who interrupts it waits no longer', async () => {
    await using one = await place('offline: true');
    const child = spawn(LAUNCHER, ['import', '--config', one.name, '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    const exit = once(child, 'exit');
    // The store is there once it has begun to read.
    const lock = path.join(one.folder, 'data/lock');
    while (
      !(await access(lock).then(
        () => true,
        () => false,
      ))
    )
      await setImmediate();
    child.kill('SIGINT');
    const [code] = await exit;
    assert.equal(code, 130);
  });
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Choices } from '../../src/cli/actions.ts';
import { upkeepOf } from '../../src/compose/upkeep.ts';
import { load } from '../../src/config/load.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));
const CHOICES: Choices = { config: undefined, overrides: [] };

/** A server with two images and one that was pulled by digest, which share a layer; and the verbs. */
async function cached() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const origin = stack.use(await startRegistry());
  const file = path.join(folder.path, 'layover.yaml');
  const store = path.join(folder.path, 'data');
  const text = `listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nstorage: { path: ${store}, minFree: 0 }\nupstreams: { docker.io: { url: "${origin.url}" } }\n`;
  await writeFile(file, text);
  const shared = { size: 100_000, seed: 9 };
  const images = ['v1', 'v2'].map((tag, seed) =>
    origin.addImage('library/x', tag, {
      layers: [{ size: 200_000, seed }, shared],
      config: { tag },
    }),
  );
  const other = origin.addImage('team/y', undefined, { layers: [shared], config: { y: 1 } });
  const child = spawn(LAUNCHER, ['serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  const ports = Promise.withResolvers<readonly [string, string]>();
  child.stdout.on('data', (data: Buffer) => {
    log += String(data);
    const found = /"port":(\d+).*"admin":"([^"]+)".*"msg":"serving"/.exec(log);
    if (found?.[1] !== undefined && found[2] !== undefined) ports.resolve([found[1], found[2]]);
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  stack.defer(stop);
  const [port, admin] = await ports.promise;
  const pull = async (where: string): Promise<void> => {
    await (await fetch(`http://127.0.0.1:${port}/v2/${where}`)).arrayBuffer();
  };
  const parts = (image: typeof other) => [image.config, ...image.layers];
  for (const [index, image] of images.entries()) {
    await pull(`library/x/manifests/v${index + 1}`);
    for (const { digest } of parts(image)) await pull(`library/x/blobs/${digest}`);
  }
  await pull(`team/y/manifests/${other.manifest.digest}`);
  for (const { digest } of parts(other)) await pull(`team/y/blobs/${digest}`);
  // The manifest is put away behind the answer.
  while ((await readdir(path.join(store, 'blobs/sha256'))).length < 9) await pull('');
  const { config } = load({ file: { name: file, text }, environment: {}, overrides: [] });
  const upkeep = upkeepOf(async () => config);
  const names = async () => {
    const found: string[] = [];
    for await (const { repository, tag } of upkeep.images(CHOICES, [])) {
      found.push(`${repository.path}:${tag ?? 'by digest'}`);
    }
    return found;
  };
  const whole = stack.move();
  return {
    upkeep,
    origin,
    names,
    store,
    port,
    admin,
    stop,
    pull,
    images,
    other,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

/** Folders with nothing in them. */
async function emptyIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const full = new Set(entries.map(({ parentPath }) => parentPath));
  const names = entries.flatMap((entry) =>
    entry.isDirectory() ? [path.join(entry.parentPath, entry.name)] : [],
  );
  return names.filter((name) => !full.has(name));
}

/** What is asked over HTTP tells the same as the verbs do, and changes nothing. */
async function dryRuns(
  { admin, upkeep }: Awaited<ReturnType<typeof cached>>,
  planned: object,
): Promise<void> {
  const ask = async (verb: string, body: object) => {
    const headers = { 'Content-Type': 'application/json' };
    const sent = { method: 'POST', headers, body: JSON.stringify({ ...body, dryRun: true }) };
    return (await fetch(`http://${admin}/api/v1/${verb}`, sent)).text();
  };
  assert.deepEqual(
    JSON.parse(await ask('prune', { patterns: ['docker.io/library/x:*'] })),
    planned,
  );
  const leaving = await Array.fromAsync(upkeep.leaving(CHOICES, '0'));
  const lines = (await ask('evict', { to: 0 })).trimEnd().split('\n');
  const digests = lines.map((line) => (JSON.parse(line) as { digest?: string }).digest);
  assert.equal(digests.length, leaving.length + 1);
  assert.deepEqual(new Set(digests.slice(0, -1)), new Set(leaving.map(({ digest }) => digest)));
  assert.match(await ask('gc', {}), /^\{"type":"collection","manifests":0/);
  assert.equal((await upkeep.usage(CHOICES)).total.blobs, 9);
}

test('while the server runs: usage, images, pins, prune and evict; the public address knows nothing of it', async () => {
  await using place = await cached();
  const { upkeep, names } = place;
  const usage = await upkeep.usage(CHOICES);
  assert.equal(usage.total.blobs, 9);
  const y = usage.repositories.find(({ repository }) => repository === 'team/y');
  assert.ok(y && y.shared === 100_000 && y.exclusive < 2000);
  assert.deepEqual(await names(), ['library/x:v1', 'library/x:v2', 'team/y:by digest']);

  assert.equal(await upkeep.pin(CHOICES, 'x:v1'), 'changed');
  assert.equal(await upkeep.pin(CHOICES, 'docker.io/library/x:v1'), 'same');
  const query = { ...CHOICES, patterns: ['x:*'], gone: 'spare' as const };
  const planned = await upkeep.planPrune(query);
  assert.deepEqual(planned.images, ['docker.io/library/x:v2']);
  assert.equal((await upkeep.usage(CHOICES)).total.blobs, 9);
  await dryRuns(place, planned);
  const pruned = await upkeep.prune(query);
  assert.deepEqual(pruned, planned);
  assert.deepEqual(await names(), ['library/x:v1', 'team/y:by digest']);

  const leaving = await Array.fromAsync(upkeep.leaving(CHOICES, '0'));
  const evicted = await upkeep.evict(CHOICES, '0');
  assert.equal(evicted.blobs, leaving.length);
  const left = await readdir(path.join(place.store, 'blobs/sha256'));
  const [first] = place.images;
  assert.ok(first);
  const kept = [first.manifest, first.config, ...first.layers].map(({ digest }) => digest.slice(7));
  assert.deepEqual(left.toSorted(), kept.toSorted());
  await assert.rejects(upkeep.unpin(CHOICES, 'x:v2'), /is not pinned/);
  assert.equal(await upkeep.unpin(CHOICES, 'x:v1'), 'changed');
  assert.ok((await upkeep.evict(CHOICES, '0')).blobs > 0);

  // What is gone comes back by itself.
  await place.pull('library/x/manifests/v2');
  for (const where of ['/api/v1/evict', '/api/v1/pins']) {
    const answer = await fetch(`http://127.0.0.1:${place.port}${where}`, { method: 'POST' });
    assert.ok(answer.status >= 400 && answer.status < 500);
  }
  assert.equal((await fetch(`http://${place.admin}/v2/`)).status, 404);
});

test('what stays although it was to go is told, with the reason', async () => {
  await using place = await cached();
  const { upkeep } = place;
  assert.deepEqual(await place.names(), ['library/x:v1', 'library/x:v2', 'team/y:by digest']);
  await place.stop();
  await upkeep.pin(CHOICES, 'x:v1');
  const query = { ...CHOICES, patterns: ['x:*'], gone: 'spare' as const };
  assert.deepEqual([...(await upkeep.spared(query))], [['pinned', 1]]);
  assert.deepEqual([...(await upkeep.spared({ ...query, patterns: ['x:v2'] }))], []);
  assert.equal(await upkeep.missed(CHOICES, '1GiB', 0), undefined);
  const { total } = await upkeep.usage(CHOICES);
  const planned = await upkeep.missed(CHOICES, '1000', total.bytes - 300_000);
  assert.ok(planned && planned.over === 299_000 && planned.kept > 300_000);
  await upkeep.evict(CHOICES, '1000');
  const missed = await upkeep.missed(CHOICES, '1000', 0);
  assert.ok(missed && missed.left === missed.kept && missed.over === missed.left - 1000);
  assert.equal(await upkeep.stranger(CHOICES, 'x:v1'), undefined);
  assert.equal(await upkeep.stranger(CHOICES, '*.host/x:1'), undefined);
  assert.equal(await upkeep.stranger(CHOICES, 'index.docker.io/library/x'), undefined);
  assert.equal(await upkeep.stranger(CHOICES, 'nosuch.host/x:1'), 'nosuch.host');
});

test('while nothing runs the verbs do it themselves; a dry run changes nothing', async () => {
  await using place = await cached();
  const { upkeep, names, store } = place;
  await place.stop();
  const before = await readdir(store, { recursive: true });
  const query = { ...CHOICES, patterns: ['**'], gone: 'include' as const };
  const planned = await upkeep.planPrune(query);
  assert.equal(planned.images.length, 3);
  await Array.fromAsync(upkeep.leaving(CHOICES, '0'));
  assert.deepEqual((await readdir(store, { recursive: true })).toSorted(), before.toSorted());
  assert.equal(await upkeep.pin(CHOICES, 'team/*'), 'changed');
  assert.deepEqual(
    (await upkeep.pins(CHOICES)).map(({ pattern }) => pattern),
    ['docker.io/team/*'],
  );
  const pruned = await upkeep.prune(query);
  assert.deepEqual(pruned.images, ['docker.io/library/x:v1', 'docker.io/library/x:v2']);
  assert.deepEqual(await names(), ['team/y:by digest']);
  assert.equal((await upkeep.usage(CHOICES)).kept.blobs, 3);
  const folder = path.join(store, 'repositories');
  assert.deepEqual(await emptyIn(folder), []);
  assert.equal(await upkeep.unpin(CHOICES, 'team/*'), 'changed');
  await upkeep.prune(query);
  assert.deepEqual(await readdir(folder, { recursive: true }), []);
});

test('an image that gets a second name was not pulled by it for the last time before the first', async () => {
  await using place = await cached();
  const { upkeep, names, origin } = place;
  origin.addImage('library/x', 'again', {
    layers: [
      { size: 200_000, seed: 0 },
      { size: 100_000, seed: 9 },
    ],
    config: { tag: 'v1' },
  });
  await place.pull('library/x/manifests/again');
  while (!(await names()).includes('library/x:again')) await place.pull('');
  const images = await Array.fromAsync(upkeep.images(CHOICES, ['x:again']));
  const [{ digest, firstPulled, lastPulled } = {}, ...more] = images;
  assert.deepEqual(more, []);
  assert.equal(digest, place.images[0]?.manifest.digest);
  assert.ok(firstPulled && lastPulled && lastPulled >= firstPulled, `${firstPulled} ${lastPulled}`);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { file, layerOf } from '../fixtures/layer-builder.ts';
import { gate } from '../fixtures/gate.ts';
import { world as mirrorWorld } from '../fixtures/mirror-world.ts';
import { parseTag } from '../../src/core/reference.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { here } from './here.ts';
import { session } from './session.ts';

/** Bytes that hardly compress. */
const noise = (length: number): Uint8Array => {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state >> 16;
  });
};

const TOP = layerOf([file('first', 'a')]);

/** A registry with an image whose base is large, and somebody at a shell. */
async function world() {
  const registry = await startRegistry();
  const at = await session();
  const { layers } = registry.addImage('team/app', '1', {
    layers: [layerOf([file('large', noise(3_000_000)), file('last', 'z')]), TOP],
  });
  return {
    registry,
    at,
    image: `${registry.host}/team/app:1`,
    base: { method: 'GET', path: new RegExp(`blobs/${layers[0]?.digest}`) },
    async [Symbol.asyncDispose]() {
      await at[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

test('ls tells the first lines while the rest is still to come', async () => {
  await using place = await world();
  const { registry, at, image, base } = place;
  const closed = gate();
  registry.misbehave(base, { kind: 'hold-headers', gate: closed });
  const { child, ran } = at.start(['ls', '--no-cache', image]);
  const [first] = await once(child.stdout ?? process.stdin, 'data');
  assert.equal(String(first), '/first\n');
  closed.open();
  const { code, error } = await ran;
  assert.equal(code, 0, error);
});

test('Ctrl-C while a layer is read: nothing is left, and the shell learns of it', async () => {
  await using place = await world();
  const { registry, at, image, base } = place;
  const closed = gate();
  for (const line of [
    ['ls', image],
    ['cat', image, 'last'],
    ['find', image, 'last'],
    ['get', '-o', 'target', image, '/'],
    ['get', '-o', 'target', image, '/large'],
    ['get', '-o', 'target', '--layer', '0', image],
    ['get', '-o', 'target', '--layer', '0', '--raw', image],
  ]) {
    const undo = registry.misbehave(base, { kind: 'hold-body', at: 50_000, gate: closed });
    const before = registry.count(base);
    const { child, ran } = at.start([...line, '--no-cache']);
    await registry.seen(base, before + 1);
    const interrupted = performance.now();
    child.kill('SIGINT');
    const { code, error } = await ran;
    assert.deepEqual([code, error], [130, 'layover: interrupted\n'], line.join(' '));
    // Well before further attempts would have come to an end.
    assert.ok(performance.now() - interrupted < 3_000, line.join(' '));
    assert.deepEqual(await at.files(), [], line.join(' '));
    undo();
  }
  closed.open();
});

test('a connection that is cut and stays so ends in one line, with nothing left', async () => {
  await using place = await world();
  const { registry, at, image, base } = place;
  registry.misbehave(base, { kind: 'cut', at: 0 });
  const lines = [
    ['cat', image, 'last'],
    ['get', '-o', 'target', image, '/'],
  ];
  const ran = await Promise.all(lines.map((line) => at.layover([...line, '--no-cache'])));
  for (const { code, out, error } of ran) {
    assert.deepEqual([code, out], [1, '']);
    assert.match(error, /^layover: .*\n$/);
  }
  assert.deepEqual(await at.files(), []);
});

test('a target that cannot be written, or is full, is one line', async () => {
  await using place = await world();
  const { at, image } = place;
  await at.layover(['get', '-o', 'blocked', image, '/first']);
  const through = await at.layover(['get', '-o', 'blocked/below', image, '/first']);
  assert.deepEqual([through.code, through.out], [1, '']);
  assert.match(through.error, /^layover: .*blocked.*\n$/);
  const full = await at.layover(['get', '--no-cache', '-o', 'target', image, '/large'], {
    blocks: 1000,
  });
  assert.deepEqual([full.code, full.out], [1, '']);
  assert.match(full.error, /^layover: .*\n$/);
  assert.deepEqual(await at.files(), ['blocked']);
});

test('files of what a mirror stores', async () => {
  await using mirrored = await mirrorWorld();
  const { registry, mirror, paths } = mirrored;
  registry.addImage('library/x', 'v1', { layers: [layerOf([file('etc/motd', 'hello\n')])] });
  const repository = { host: 'docker.io', path: 'library/x' };
  const { bytes } = await mirror.manifest(repository, parseTag('v1'));
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString());
  for (const { digest } of [config, ...layers]) {
    await using blob = await mirror.blob(repository, digest);
    for await (const _ of blob.body);
  }
  await mirrored.restart();
  const asked = (...line: string[]) =>
    here([...line, '--store', paths.root], { environment: { HOME: '/nonexistent' } });
  const { out, error } = await asked('cat', 'x:v1', '/etc/motd');
  assert.equal(out, 'hello\n', error);
  assert.match(error, /, 0 B of blobs over the network\n$/);
  assert.equal((await asked('ls', 'x:v1', '/etc')).out, '/etc/motd\n');
});

test('layers that cat has passed through are not fetched again', async () => {
  await using place = await world();
  const { registry, at, image } = place;
  const upper = layerOf([file('noise', noise(400_000))]);
  const { layers } = registry.addImage('team/app', '2', {
    layers: [layerOf([file('below', 'found')]), upper],
  });
  const content = { method: 'GET', path: new RegExp(`blobs/${layers[1]?.digest}`) };
  const cat = ['cat', image.replace(/:1$/, ':2'), 'below'];
  const first = await at.layover(cat);
  assert.deepEqual([first.code, first.out], [0, 'found'], first.error);
  const asked = registry.count(content);
  assert.ok(asked > 1, 'in parts');
  const again = await at.layover(cat);
  assert.deepEqual([again.code, again.out], [0, 'found'], again.error);
  assert.match(again.error, / 0 B of blobs over the network/);
  assert.equal(registry.count(content), asked);
});

test('standard output is a target like any other; its other names lead there, too', async () => {
  await using place = await world();
  const { at, image } = place;
  for (const target of ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']) {
    const file = await at.layover(['get', '-q', '-o', target, image, '/first']);
    assert.deepEqual([file.code, file.out, file.error], [0, 'a', ''], target);
    const layer = await at.layover(['layer', '-q', '-o', target, image, '1']);
    assert.ok(layer.data.equals(TOP), target);
  }
  assert.deepEqual(await at.files(), []);
});

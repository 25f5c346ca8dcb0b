import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UpstreamPool, type UpstreamPoolOptions } from '../../src/compose/upstreams.ts';
import { load } from '../../src/config/load.ts';
import type { UpstreamEvent } from '../../src/upstream/event.ts';
import { gate } from '../fixtures/gate.ts';
import { startRegistry } from '../fixtures/registry.ts';

const repository = { host: 'x.io', path: 'a/b' };
const none: ReadonlyMap<string, string> = new Map();
const configOf = (text: string) =>
  load({ file: { name: 'c', text }, environment: {}, overrides: [] }).config;

function pooled(options: Partial<UpstreamPoolOptions> = {}) {
  const events: UpstreamEvent[] = [];
  const left: string[] = [];
  const closed = Promise.withResolvers<string>();
  const pool = new UpstreamPool({
    environment: {},
    via: 'layover-0000000000000000',
    observe: (event) => events.push(event),
    onLeft: (host) => left.push(host),
    onClosed: closed.resolve,
    linger: 1,
    ...options,
  });
  const enter = (text: string, passed = Promise.resolve()) => {
    const { upstreams, enter } = pool.prepare(configOf(text), none);
    enter(() => passed);
    return upstreams;
  };
  return { pool, enter, events, left, closed: closed.promise };
}

const x = (more: string): string => `upstreams: { x.io: { ${more} } }`;

test('what has no part in the connections leaves them as they are, and everything else does not', async () => {
  const { pool, enter, left } = pooled();
  await using _pool = pool;
  const first = enter(x('')).of('x.io');
  for (const more of [
    'aliases: [y]',
    'maxSize: 1GiB',
    'tags: { freshFor: 1s, whenDeleted: follow }',
    'url: "https://x.io/"',
  ]) {
    assert.equal(enter(`drain: 1s\n${x(more)}`).of('x.io'), first, more);
  }
  assert.deepEqual(left, []);
  let before = first;
  for (const more of [
    'url: "https://z.io"',
    'mirrors: ["https://z.io"]',
    'headers: { X-A: b }',
    'allowPrivate: [10.0.0.0/8]',
    'maxConnections: 3',
    'timeouts: { idle: 1s }',
    'credentials: { username: u, password: p }',
    'credentials: { username: u, password: q }',
    'credentials: { username: u, passwordFile: /p }',
    'proxy: "http://proxy"',
    'tls: { insecureSkipVerify: true }',
  ]) {
    const after = enter(x(more)).of('x.io');
    assert.notEqual(after, before, more);
    before = after;
  }
  assert.ok(left.every((host) => host === 'x.io'));
  assert.equal(left.length, 11);
});

test('the content of a certificate file has a part in them, its name has none', async () => {
  const { pool } = pooled();
  await using _pool = pool;
  const at = (file: string, text: string) => {
    const config = configOf(x(`tls: { ca: ${file} }`));
    const { upstreams, enter } = pool.prepare(config, new Map([[file, text]]));
    enter(async () => {});
    return upstreams.of('x.io');
  };
  const { ca } = await import('../fixtures/certificate.ts').then(({ certificateAuthority }) =>
    certificateAuthority(),
  );
  const first = at('a.pem', ca);
  assert.equal(at('b.pem', ca), first);
  assert.notEqual(at('b.pem', `${ca}\n`), first);
});

test('what is prepared and never enters changes nothing', async () => {
  const { pool, enter, left } = pooled();
  await using _pool = pool;
  const first = enter(x('')).of('x.io');
  pool.prepare(configOf(x('maxConnections: 3')), none);
  assert.deepEqual(left, []);
  assert.equal(enter(x('')).of('x.io'), first);
});

test('one that left is closed when what was begun has passed and nobody uses it', async () => {
  await using origin = await startRegistry();
  const digest = origin.addBlob({ size: 500_000, seed: 1 }, 'a/b');
  const held = gate();
  origin.misbehave({ path: /blobs/, times: 1 }, { kind: 'hold-body', at: 1000, gate: held });
  const { pool, enter, closed } = pooled();
  await using _pool = pool;
  const source = enter(x(`url: "${origin.url}"`)).of('x.io');
  const passed = Promise.withResolvers<void>();
  const after = enter('upstreams: {}', passed.promise);
  assert.throws(() => after.of('x.io'), { code: 'NAME_UNKNOWN' });
  let isClosed = false;
  void closed.then(() => (isClosed = true));

  const blob = await source.blob(repository, digest);
  passed.resolve();
  let length = 0;
  held.open();
  for await (const chunk of blob.body) length += chunk.length;
  assert.equal(length, 500_000);
  // It has been read, and whoever has it may still go on with another part.
  const again = await source.blob(repository, digest, { from: 499_000 });
  await blob[Symbol.asyncDispose]();
  assert.equal(isClosed, false);
  await again[Symbol.asyncDispose]();
  await closed;
  await assert.rejects(source.stat(repository, digest));
});

test('of two under one name only the present one states how it is; both count', async () => {
  await using origin = await startRegistry();
  const digest = origin.addBlob({ size: 1000, seed: 1 }, 'a/b');
  const { pool, enter, events } = pooled({ linger: 60_000 });
  await using _pool = pool;
  const before = enter(x(`url: "${origin.url}"`)).of('x.io');
  await before.stat(repository, digest);
  assert.ok(events.some(({ type }) => type === 'load'));
  enter(x(`url: "${origin.url}", maxConnections: 2`));
  events.length = 0;
  await before.stat(repository, digest);
  assert.deepEqual([...new Set(events.map(({ type }) => type))], ['request']);
});

test('offline nobody is connected to, and everybody known is refused by name', async () => {
  const { pool, enter, left } = pooled();
  await using _pool = pool;
  enter(x(''));
  const upstreams = enter(`offline: true\n${x('')}`);
  await assert.rejects(async () => upstreams.of('x.io').tags(repository), { code: 'OFFLINE' });
  assert.throws(() => upstreams.of('y.io'), { code: 'NAME_UNKNOWN' });
  assert.ok(left.includes('x.io'));
});

test(
  'at the end everything is closed at once, also what is still used',
  { timeout: 10_000 },
  async () => {
    await using origin = await startRegistry();
    const digest = origin.addBlob({ size: 500_000, seed: 1 }, 'a/b');
    origin.misbehave({}, { kind: 'never-answer' });
    const { pool, enter } = pooled();
    const source = enter(x(`url: "${origin.url}"`)).of('x.io');
    const asking = source.stat(repository, digest);
    asking.catch(() => {});
    await origin.seen({});
    enter('upstreams: {}', new Promise(() => {}));
    await pool[Symbol.asyncDispose]();
    await assert.rejects(asking);
  },
);

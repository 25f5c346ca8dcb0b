import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/core/digest.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { Deadline } from '../../src/upstream/clock.ts';
import { dispatcher } from '../../src/upstream/dispatcher.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { Failover } from '../../src/upstream/failover.ts';
import { addressRule } from '../../src/upstream/private-address.ts';
import { gate } from '../fixtures/gate.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { bytesOf, connect, failure, testClock, V1, X } from './support.ts';

const IMPATIENT = { connect: 5_000, headers: 60, idle: 5_000 };

test('a server error is retried with growing pauses, and then told', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ times: 2 }, { kind: 'status', status: 503 });
  const before = source.clock.now();
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  assert.equal(registry.requests.length, 3);
  const slept = source.clock.now() - before;
  assert.ok(slept >= 300 && slept <= 600, `slept ${slept}`);
  registry.misbehave({}, { kind: 'status', status: 500 });
  await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.equal(registry.requests.length, 6);
});

test('what will not change is not asked twice', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  for (const status of [501, 505, 403, 400]) {
    const undo = registry.misbehave({ method: 'GET' }, { kind: 'status', status });
    const before = registry.requests.length;
    await assert.rejects(source.manifest(X, V1));
    assert.equal(registry.requests.length, before + 1, String(status));
    undo();
  }
});

test('a reset connection is retried', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  registry.misbehave({ times: 2 }, { kind: 'reset' });
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  const codes = source.events.flatMap((event) => (event.type === 'request' ? [event.code] : []));
  assert.deepEqual(codes, ['reset', 'reset', '200']);
});

test('an answer or an error comes before clients give up, however many retries there are', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { retries: 1_000 });
  registry.misbehave({}, { kind: 'status', status: 500 });
  const before = source.clock.now();
  await failure(source.manifest(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.ok(source.clock.now() - before <= 25_000);
  assert.ok(registry.requests.length > 5);
});

test('no answer is a timeout', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { timeouts: IMPATIENT, retries: 100 });
  registry.misbehave({}, { kind: 'never-answer' });
  await failure(source.resolve(X, V1), 'UPSTREAM_TIMEOUT');
  assert.ok(registry.requests.length < 20, `${registry.requests.length} requests`);
});

for (const [name, retryAfter, seconds] of [
  ['seconds', '120', 120],
  ['a date', new Date(Date.now() + 3_600_000).toUTCString(), 900],
  ['an hour of seconds', '3600', 900],
] as const) {
  test(`429 with Retry-After in ${name}: nobody asks until it is over`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const { manifest } = registry.addImage('library/x', 'v1');
    const headers = { 'retry-after': retryAfter };
    registry.misbehave(
      { times: 1 },
      { kind: 'status', status: 429, body: 'Too Many Requests', headers },
    );
    const first = await failure(source.resolve(X, V1), 'TOOMANYREQUESTS');
    assert.equal(first.retryAfter, seconds);
    // What the registry wants is told, also where nobody waits for that long.
    const told = / again after (\d+) s;/.exec(first.message)?.[1];
    assert.ok(seconds < 900 ? told === `${seconds}` : Math.abs(Number(told) - 3600) < 30, told);
    source.clock.pass(20_000);
    const second = await failure(source.blob(X, manifest.digest), 'TOOMANYREQUESTS');
    assert.equal(second.retryAfter, seconds - 20);
    assert.equal(registry.requests.length, 1);
    source.clock.pass(seconds * 1000);
    assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
    const circuit = source.events.flatMap((event) =>
      event.type === 'circuit' ? [event.open] : [],
    );
    assert.deepEqual(circuit, [true, false]);
    assert.ok(
      source.events.some((event) => event.type === 'rate-limited' && event.retryAfter === seconds),
    );
  });
}

for (const said of [undefined, '-5', '0', 'soon']) {
  test(`429 with Retry-After ${said}: nobody asks for a while, each time for a longer one`, async () => {
    await using registry = await startRegistry();
    await using source = connect(registry);
    const headers = { ...(said !== undefined && { 'retry-after': said }) };
    const limit = { kind: 'status', status: 429, body: 'Too Many Requests', headers } as const;
    const undo = registry.misbehave({}, limit);
    for (const [index, seconds] of [5, 10, 20, 40, 60, 60].entries()) {
      const together = [source.resolve(X, V1), source.manifest(X, V1)];
      const failures = await Promise.all(together.map((one) => failure(one, 'TOOMANYREQUESTS')));
      // Those who were refused at once have heard the same.
      assert.deepEqual(
        failures.map(({ retryAfter }) => retryAfter),
        [seconds, seconds],
      );
      source.clock.pass(seconds * 1000 - 1);
      assert.equal((await failure(source.resolve(X, V1), 'TOOMANYREQUESTS')).retryAfter, 1);
      assert.equal(registry.requests.length, 2 * (index + 1));
      source.clock.pass(1);
    }
    undo();
    registry.addImage('library/x', 'v1');
    await source.resolve(X, V1);
    source.clock.pass(61_000);
    registry.misbehave({}, limit);
    assert.equal((await failure(source.resolve(X, V1), 'TOOMANYREQUESTS')).retryAfter, 5);
    assert.ok(
      source.events.some((event) => event.type === 'rate-limited' && event.retryAfter === 60),
    );
  });
}

test('503 with Retry-After opens the circuit too, and is called the same meanwhile', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  const headers = { 'retry-after': '30' };
  const undo = registry.misbehave({}, { kind: 'status', status: 503, headers });
  assert.equal((await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE')).retryAfter, 30);
  assert.equal((await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE')).retryAfter, 30);
  assert.equal(registry.requests.length, 1);
  undo();
  source.clock.pass(30_000);
  registry.misbehave({}, { kind: 'status', status: 429, headers });
  await failure(source.resolve(X, V1), 'TOOMANYREQUESTS');
  await failure(source.resolve(X, V1), 'TOOMANYREQUESTS');
  assert.equal(registry.requests.length, 2);
});

test('503 without Retry-After opens nothing', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { retries: 0 });
  registry.misbehave({}, { kind: 'status', status: 503 });
  for (let count = 0; count < 6; count += 1) {
    const { retryAfter } = await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
    assert.equal(retryAfter, undefined);
  }
  assert.equal(registry.requests.length, 6);
});

test('an upstream out of reach is left alone, then probed by one request', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry, { retries: 0 });
  const { manifest } = registry.addImage('library/x', 'v1');
  const undo = registry.misbehave({}, { kind: 'reset' });
  for (let count = 0; count < 5; count += 1) {
    await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  }
  await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.equal(registry.requests.length, 5);
  source.clock.pass(2_000);
  undo();
  const held = gate();
  registry.misbehave({}, { kind: 'hold-headers', gate: held });
  const probe = source.resolve(X, V1);
  await registry.seen({}, 6);
  const failed = await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.ok((failed.retryAfter ?? 0) > 0);
  held.open();
  assert.equal((await probe).descriptor.digest, manifest.digest);
  await source.resolve(X, V1);
  assert.equal(registry.requests.length, 7);
});

test('mirrors come first, in order; what one lacks the next is asked for', async () => {
  await using registry = await startRegistry();
  await using first = await startRegistry();
  await using second = await startRegistry();
  await using source = connect(registry, { mirrors: [first.url, second.url] });
  const { manifest } = registry.addImage('library/x', 'v1');
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  assert.ok(first.requests.length > 0 && second.requests.length > 0);
  second.addImage('library/x', 'v1');
  const before = registry.requests.length;
  await source.resolve(X, V1);
  assert.equal(registry.requests.length, before);
});

for (const behaviour of [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 403 },
  { kind: 'status', status: 429, headers: { 'retry-after': '60' } },
  { kind: 'reset' },
  { kind: 'never-answer' },
  { kind: 'flip', at: 3 },
] as const) {
  const name = 'status' in behaviour ? `answers ${behaviour.status}` : `does ${behaviour.kind}`;
  test(`a mirror that ${name} stands in nobody's way`, async () => {
    await using registry = await startRegistry();
    await using mirror = await startRegistry();
    await using source = connect(registry, { mirrors: [mirror.url], timeouts: IMPATIENT });
    const { manifest } = registry.addImage('library/x', 'v1');
    mirror.addImage('library/x', 'v1');
    mirror.misbehave({}, behaviour);
    assert.equal((await source.manifest(X, V1)).descriptor.digest, manifest.digest);
    assert.ok(mirror.requests.length > 0);
  });
}

for (const status of [200, 204]) {
  test(`a mirror that answers ${status} without bytes stands in no blob's way`, async () => {
    await using registry = await startRegistry();
    await using mirror = await startRegistry();
    await using source = connect(registry, { mirrors: [mirror.url] });
    const digest = registry.addBlob('right');
    mirror.misbehave({}, { kind: 'status', status });
    assert.equal((await source.stat(X, digest)).size, 5);
    assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
    assert.equal(digestOf(await bytesOf(await source.blob(X, digest, { from: 0 }))), digest);
    assert.ok(mirror.requests.length >= 3);
  });
}

test('the upstream has the last word on what there is', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry();
  await using source = connect(registry, { mirrors: [mirror.url] });
  registry.misbehave({}, { kind: 'status', status: 404, body: 'a page' });
  assert.equal((await failure(source.manifest(X, V1), 'MANIFEST_UNKNOWN')).definitive, false);
});

test('a mirror that breaks a blob off is passed over for it', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry();
  await using source = connect(registry, { mirrors: [mirror.url] });
  const digest = registry.addBlob({ size: 200_000, seed: 1 });
  mirror.addBlob({ size: 200_000, seed: 1 });
  mirror.misbehave({}, { kind: 'cut', at: 1_000 });
  await failure(bytesOf(await source.blob(X, digest)), 'UPSTREAM_UNAVAILABLE');
  assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
  assert.equal(mirror.requests.length, 1);
  source.clock.pass(61_000);
  await (await source.blob(X, digest))[Symbol.asyncDispose]();
  assert.equal(mirror.requests.length, 2);
});

test('a mirror whose bytes turned out wrong is passed over for them', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry();
  await using source = connect(registry, { mirrors: [mirror.url] });
  const digest = registry.addBlob('right');
  mirror.addBlob('right');
  mirror.misbehave({}, { kind: 'flip', at: 0 });
  assert.notEqual(digestOf(await bytesOf(await source.blob(X, digest))), digest);
  source.distrust(digest);
  assert.equal(digestOf(await bytesOf(await source.blob(X, digest))), digest);
  assert.equal(mirror.requests.length, 1);
});

test('a mirror may use up its share of the time, not all of it', async () => {
  const clock = testClock();
  await using stack = new AsyncDisposableStack();
  const made = dispatcher({ connectTimeout: 1, addresses: addressRule([], []) });
  const connections = stack.adopt(made, (one) => one.destroy());
  const endpoint = (port: number) =>
    new Endpoint({
      host: 'example.test',
      url: new URL(`http://127.0.0.1:${port}`),
      credentials: async () => undefined,
      headers: {},
      timeouts: { headers: 1, idle: 1 },
      dispatcher: connections,
      addresses: addressRule([], []),
      clock,
      observe: () => {},
    });
  const mirrors = [endpoint(1), endpoint(2)];
  const failover = new Failover({ mirrors, main: endpoint(3), retries: 7, clock });
  const efforts: (readonly [number, number])[] = [];
  await failover.run(new Deadline(clock, 24_000), async (at, { deadline, retries }) => {
    efforts.push([deadline.remaining, retries]);
    clock.pass(deadline.remaining);
    if (mirrors.includes(at)) throw new RegistryError('UPSTREAM_TIMEOUT');
  });
  assert.deepEqual(efforts, [
    [8_000, 0],
    [8_000, 0],
    [8_000, 7],
  ]);
});

test('what is left of a pull budget is told', async () => {
  await using registry = await startRegistry();
  await using source = connect(registry);
  registry.addImage('library/x', 'v1');
  const set = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '97;w=21600' };
  registry.misbehave({}, { kind: 'headers', set });
  await source.resolve(X, V1);
  assert.deepEqual(
    source.events.find(({ type }) => type === 'budget'),
    { type: 'budget', host: 'example.test', limit: 100, remaining: 97, windowSeconds: 21_600 },
  );
});

test('disposing ends what is under way', async () => {
  await using registry = await startRegistry();
  const source = connect(registry);
  const digest = registry.addBlob({ size: 200_000, seed: 1 });
  registry.misbehave({}, { kind: 'hold-body', at: 10, gate: gate() });
  const blob = await source.blob(X, digest);
  const reading = bytesOf(blob);
  await source[Symbol.asyncDispose]();
  await failure(reading, 'UPSTREAM_UNAVAILABLE');
  await registry.settled();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { givenCredentials, type Credentials } from '../../src/upstream/credentials.ts';
import { gate } from '../fixtures/gate.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { bytesOf, connect, failure, V1, X } from './support.ts';

const TOKEN = /^\/token/;
const SECRET = 'hunter2 with spaces';

test('a token serves a repository until it is nearly over', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', expiresIn: 300 } });
  await using source = connect(registry);
  const { manifest, config } = registry.addImage('library/x', 'v1');
  await source.resolve(X, V1);
  await source.manifest(X, manifest.digest);
  await bytesOf(await source.blob(X, config.digest));
  assert.equal(registry.count({ path: TOKEN }), 1);
  const [asked] = registry.matching({ path: TOKEN });
  assert.equal(asked?.path, '/token?service=fixture&scope=repository%3Alibrary%2Fx%3Apull');
  assert.equal(asked?.headers.authorization, undefined);
  source.clock.pass(269_000);
  await source.resolve(X, V1);
  assert.equal(registry.count({ path: TOKEN }), 1);
  source.clock.pass(2_000);
  await source.resolve(X, V1);
  assert.equal(registry.count({ path: TOKEN }), 2);
  // Later requests carry a token from the start.
  assert.equal(registry.requests.filter(({ status }) => status === 401).length, 1);
});

test('without expires_in a token is used for 54 seconds', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  registry.addImage('library/x', 'v1');
  await source.resolve(X, V1);
  source.clock.pass(53_000);
  await source.resolve(X, V1);
  assert.equal(registry.count({ path: TOKEN }), 1);
  source.clock.pass(2_000);
  await source.resolve(X, V1);
  assert.equal(registry.count({ path: TOKEN }), 2);
});

test('requests at the same time share one token request; access_token is a token too', async () => {
  await using registry = await startRegistry({
    auth: { kind: 'bearer', expiresIn: 300, tokenKey: 'access_token' },
  });
  await using source = connect(registry);
  registry.addImage('library/x', 'v1');
  const held = gate();
  registry.misbehave({ path: TOKEN }, { kind: 'hold-headers', gate: held });
  const asking = [1, 2].map(() => source.resolve(X, V1));
  await registry.seen({ path: /manifests/ }, 2);
  await registry.seen({ path: TOKEN });
  held.open();
  await Promise.all(asking);
  assert.equal(registry.count({ path: TOKEN }), 1);
});

test('a token that stopped working is replaced once; then it is denied', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', expiresIn: 300 } });
  await using source = connect(registry);
  registry.addImage('library/x', 'v1');
  await source.resolve(X, V1);
  registry.revokeTokens();
  await source.resolve(X, V1);
  assert.equal(registry.count({ path: TOKEN }), 2);
  registry.misbehave(
    { path: /manifests/ },
    {
      kind: 'status',
      status: 401,
      headers: { 'www-authenticate': `Bearer realm="${registry.url}/token"` },
    },
  );
  await failure(source.resolve(X, V1), 'DENIED');
  assert.equal(registry.count({ path: TOKEN }), 3);
});

test('basic credentials fetch the token, and go nowhere else', async () => {
  await using registry = await startRegistry({
    auth: { kind: 'bearer', username: 'me', password: SECRET, realm: 'storage' },
  });
  const asked: string[] = [];
  await using source = connect(registry, {
    credentials: async (host) => {
      asked.push(host);
      return await givenCredentials('me', SECRET)(host);
    },
  });
  registry.addImage('library/x', 'v1');
  await source.resolve(X, V1);
  assert.deepEqual(asked, ['example.test']);
  for (const { path, headers } of registry.requests) {
    const basic = headers.authorization?.toString().startsWith('Basic ') ?? false;
    assert.equal(basic, path.startsWith('/token'), path);
  }
});

test('a token realm at a private address elsewhere is refused unless it is allowed', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', realm: 'storage' } });
  await using source = connect(registry, { allowPrivate: [] });
  const error = await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.ok(error.message.includes('upstreams.example.test.allowPrivate'), error.message);
  assert.equal(registry.count({ path: TOKEN }), 0);
});

test('wrong credentials are "not found or denied", and the message keeps the secret', async () => {
  await using registry = await startRegistry({
    auth: { kind: 'bearer', username: 'me', password: SECRET },
  });
  await using source = connect(registry, { credentials: givenCredentials('me', 'wrong-secret') });
  const error = await failure(source.resolve(X, V1), 'DENIED');
  assert.ok(error.message.includes('upstreams.example.test.credentials'));
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    assert.ok(!/wrong-secret|realm|fixture/.test(`${cause.message} ${JSON.stringify(cause)}`));
  }
  assert.ok(source.events.some((event) => event.type === 'token' && event.result === 'denied'));
});

test('an identity token is changed by POST, and by GET where POST is not known', async () => {
  const credentials = async (): Promise<Credentials> => ({
    kind: 'identity',
    username: 'me',
    token: SECRET,
  });
  await using oauth = await startRegistry({ auth: { kind: 'bearer', refreshToken: SECRET } });
  await using first = connect(oauth, { credentials });
  oauth.addImage('library/x', 'v1');
  await first.resolve(X, V1);
  const [posted] = oauth.matching({ path: TOKEN });
  assert.equal(posted?.method, 'POST');
  const form = Object.fromEntries(new URLSearchParams(posted?.form));
  assert.deepEqual(form, {
    grant_type: 'refresh_token',
    refresh_token: SECRET,
    client_id: 'layover',
    service: 'fixture',
    scope: 'repository:library/x:pull',
  });
  await using plain = await startRegistry({
    auth: { kind: 'bearer', username: 'me', password: SECRET },
  });
  await using second = connect(plain, { credentials });
  plain.addImage('library/x', 'v1');
  await second.resolve(X, V1);
  assert.deepEqual(
    plain.matching({ path: TOKEN }).map(({ method }) => method),
    ['POST', 'GET'],
  );
});

test('registries that ask for a password get it with every request', async () => {
  await using registry = await startRegistry({
    auth: { kind: 'basic', username: 'AWS', password: SECRET },
  });
  await using source = connect(registry, { credentials: givenCredentials('AWS', SECRET) });
  registry.addImage('library/x', 'v1');
  await source.resolve(X, V1);
  await source.resolve(X, V1);
  assert.deepEqual(
    registry.requests.map(({ status }) => status),
    [401, 200, 200],
  );
  await using stranger = connect(registry);
  await failure(stranger.resolve(X, V1), 'DENIED');
});

test('a refusal without a challenge: the challenge of /v2/ serves', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', challenge: 'base' } });
  await using source = connect(registry);
  const { manifest } = registry.addImage('library/x', 'v1');
  assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
  assert.equal(registry.count({ path: /^\/v2\/$/ }), 1);
});

test('a mirror is not shown the credentials of what it mirrors', async () => {
  await using registry = await startRegistry();
  await using mirror = await startRegistry({
    auth: { kind: 'basic', username: 'me', password: SECRET },
  });
  registry.addImage('library/x', 'v1');
  const asked: string[] = [];
  await using source = connect(registry, {
    mirrors: [mirror.url],
    headers: { 'x-key': SECRET },
    credentials: async (host) => {
      asked.push(host);
      return host === 'example.test' ? await givenCredentials('me', SECRET)(host) : undefined;
    },
  });
  await source.resolve(X, V1);
  assert.deepEqual(asked, [mirror.host]);
  for (const { headers } of mirror.requests) {
    assert.equal(headers.authorization, undefined);
    assert.equal(headers['x-key'], undefined);
  }
  assert.equal(registry.requests[0]?.headers['x-key'], SECRET);
});

test('nonsense from the token server is an error without its words', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  for (const body of ['secret-ish text', { token: 'two words' }, { token: '' }, {}]) {
    const undo = registry.misbehave({ path: TOKEN }, { kind: 'status', status: 200, body });
    const error = await failure(source.resolve(X, V1), 'UPSTREAM_INVALID');
    assert.ok(!error.message.includes('secret-ish') && error.cause === undefined);
    undo();
  }
  registry.misbehave(
    { path: TOKEN },
    { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
  );
  assert.equal((await failure(source.resolve(X, V1), 'TOOMANYREQUESTS')).retryAfter, 7);
});

for (const status of [301, 302, 303, 307, 308]) {
  test(`a token server that redirects by ${status} is followed, without the password to another host`, async () => {
    const login = { username: 'me', password: SECRET };
    await using registry = await startRegistry({ auth: { kind: 'bearer', ...login } });
    const credentials = givenCredentials('me', SECRET);
    await using source = connect(registry, { credentials });
    const { manifest } = registry.addImage('library/x', 'v1');
    const once = { path: TOKEN, times: 1 };
    registry.misbehave(once, { kind: 'redirect', status, to: (path) => `${path}&again=1` });
    assert.equal((await source.resolve(X, V1)).descriptor.digest, manifest.digest);
    const [first, second] = registry.matching({ path: TOKEN });
    assert.equal(second?.headers.authorization, first?.headers.authorization);
    assert.match(second?.path ?? '', /scope=repository.*again=1/);

    await using other = connect(registry, { credentials });
    const to = (path: string) => `${registry.storageUrl}${path}&elsewhere=1`;
    const here = /^\/token(?!.*elsewhere)/;
    registry.misbehave({ path: here }, { kind: 'redirect', status, to });
    await assert.rejects(other.resolve(X, V1));
    const there = registry.requests.filter(({ at }) => at === 'storage');
    assert.equal(there.length, 1);
    for (const { method, headers, form } of there) {
      assert.deepEqual([method, headers.authorization, form], ['GET', undefined, '']);
    }
  });
}

test('a token server that redirects leads nowhere private', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry, { allowPrivate: [] });
  registry.addImage('library/x', 'v1');
  const to = (path: string) => `${registry.storageUrl}${path}`;
  registry.misbehave({ path: TOKEN, times: 1 }, { kind: 'redirect', to });
  await failure(source.resolve(X, V1), 'UPSTREAM_UNAVAILABLE');
  assert.equal(registry.requests.filter(({ at }) => at === 'storage').length, 0);
});

test('an identity token goes nowhere but to the realm; where POST is redirected, GET asks', async () => {
  const auth = { kind: 'bearer', refreshToken: SECRET, username: 'me', password: SECRET } as const;
  await using registry = await startRegistry({ auth });
  const identity = { kind: 'identity', username: 'me', token: SECRET } as const;
  await using source = connect(registry, { credentials: async () => identity });
  registry.addImage('library/x', 'v1');
  const to = (path: string) => `${registry.storageUrl}${path}`;
  registry.misbehave({ path: TOKEN, method: 'POST' }, { kind: 'redirect', status: 307, to });
  await source.resolve(X, V1);
  assert.equal(registry.requests.filter(({ at }) => at === 'storage').length, 0);
});

test('what is withheld for legal reasons is denied, by the registry and by its token server', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer' } });
  await using source = connect(registry);
  registry.addImage('library/x', 'v1');
  const undo = registry.misbehave({ path: TOKEN }, { kind: 'status', status: 451 });
  await failure(source.resolve(X, V1), 'DENIED');
  undo();
  registry.misbehave({ path: /manifests/ }, { kind: 'status', status: 451, body: 'not here' });
  for (const asked of [source.resolve(X, V1), source.manifest(X, V1)]) {
    assert.match((await failure(asked, 'DENIED')).message, /legal reasons/);
  }
});

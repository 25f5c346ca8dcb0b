import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { startRegistry, type Registry, type RegistryOptions } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { here, printing } from './here.ts';

const SECRET = { kind: 'basic', username: 'me', password: 'it' } as const;
const OTHER = { kind: 'basic', username: 'you', password: 'that' } as const;

/** Two registries, and somebody at a shell. */
async function world(one: RegistryOptions = {}, two: RegistryOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const first = stack.use(await startRegistry(one));
  const second = stack.use(await startRegistry(two));
  first.addImage('public/app', '1', { layers: ['x'] });
  const asked = (line: readonly string[], stdin = '') =>
    here(line, { environment: { HOME: folder.path }, stdin });
  const does = printing((...line) => asked(line));
  const from = `${first.host}/public/app:1`;
  const to = `${second.host}/a/b:1`;
  const owned = stack.move();
  const file = (name: string) => path.join(folder.path, name);
  return {
    first,
    second,
    asked,
    does,
    from,
    to,
    file,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function logins(registry: Registry): ReadonlySet<unknown> {
  return new Set(registry.requests.flatMap(({ headers }) => headers['authorization'] ?? []));
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test('a password is for one registry: with two of them it has to be said for which', async () => {
  await using folder = await temporaryFolder();
  // Registries that ask everybody would be shown what they are told.
  await using place = await world({ auth: OTHER }, { auth: SECRET });
  const { first, second, asked, from, to } = place;
  const [cert, key] = [path.join(folder.path, 'cert'), path.join(folder.path, 'key')];
  const shared = [
    [['-u', 'me', '-p', 'it'], '--user'],
    [['-u', 'me', '--password-stdin'], '--user'],
    [['-p', 'it'], '--password'],
    [['--cert', cert, '--key', key], '--cert'],
  ] as const;
  for (const [flags, name] of shared) {
    for (const [verb, ends] of [
      ['copy', `--from-${name.slice(2)} or --to-${name.slice(2)}`],
      ['diff', `--before-${name.slice(2)} or --after-${name.slice(2)}`],
    ] as const) {
      const { code, out, error } = await asked([verb, ...flags, from, to], 'it\n');
      assert.deepEqual([code, out], [2, '']);
      const hosts = `${first.host} and ${second.host}`;
      assert.ok(error.includes(`${name} is for one registry, and there are ${hosts}`), error);
      assert.ok(error.includes(ends), error);
    }
    const pulled = await asked(['pull', ...flags, '-o', 'all.tar', from, to], 'it\n');
    assert.equal(pulled.code, 2, pulled.error);
    assert.ok(pulled.error.includes(`${name} is for one registry, and there are `), pulled.error);
  }
  assert.deepEqual([...first.requests, ...second.requests], []);
});

test('copy: each end is shown its own login, and no other', async () => {
  await using place = await world({ auth: OTHER }, { auth: SECRET });
  const { first, second, asked, from, to } = place;
  const line = ['--from-user', 'you', '--from-password', 'that', '--to-user', 'me'];
  const copied = await asked(['copy', ...line, '--to-password-stdin', from, to], 'it\n');
  assert.equal(copied.code, 0, copied.error);
  assert.deepEqual(logins(first), new Set([basic('you:that')]));
  assert.deepEqual(logins(second), new Set([basic('me:it')]));
  assert.ok(second.manifest('a/b', '1'));
  const both = ['--from-user', 'you', '--from-password-stdin', '--to-user', 'me'];
  const twice = await asked(['copy', ...both, '--to-password-stdin', from, to], 'it\n');
  assert.equal(twice.code, 2);
  assert.match(twice.error, /standard input .*one password/);
});

test('copy: who logs in to one end shows nothing to the other', async () => {
  await using place = await world({}, { auth: SECRET });
  const { first, second, does, from, to } = place;
  await does('copy', '--to-user', 'me', '--to-password', 'it', from, to);
  assert.deepEqual(logins(first), new Set());
  assert.deepEqual(logins(second), new Set([basic('me:it')]));
});

test('copy: where there is one registry a login is for that, whichever end it is', async () => {
  await using place = await world({ auth: SECRET });
  const { first, asked, does, from, file } = place;
  const login = ['-u', 'me', '-p', 'it'];
  await does('copy', ...login, from, `oci:${file('oci')}:1`);
  await does('copy', ...login, `oci:${file('oci')}:1`, `${first.host}/back/app:1`);
  const piped = ['copy', '-u', 'me', '--password-stdin', from, `${first.host}/other/app:1`];
  const copied = await asked(piped, 'it\n');
  assert.equal(copied.code, 0, copied.error);
  assert.ok(first.manifest('back/app', '1'));
  assert.ok(first.manifest('other/app', '1'));
});

test('flags of an end that is no registry make no sense', async () => {
  await using place = await world();
  const { first, asked, from, file } = place;
  const oci = `oci:${file('oci')}:1`;
  const lines = [
    [
      ['copy', '--to-user', 'me', from, oci],
      '--to-user says nothing: where it goes is no registry',
    ],
    [
      ['copy', '--from-plain-http', oci, from],
      '--from-plain-http says nothing: where it comes from',
    ],
    [['copy', '--store', file('store'), '--from-ns', 'x', from, from], '--from-ns says nothing: '],
    [['diff', '--after-insecure', from, oci], '--after-insecure says nothing: where the second'],
  ] as const;
  for (const [line, words] of lines) {
    const { code, error } = await asked(line);
    assert.equal(code, 2);
    assert.ok(error.includes(words), error);
  }
  assert.deepEqual(first.requests, []);
});

test('diff: each end is shown its own login', async () => {
  await using place = await world({ auth: OTHER }, { auth: SECRET });
  const { first, second, does, from, to } = place;
  second.addImage('a/b', '1', { layers: ['x'] });
  const before = ['--before-user', 'you', '--before-password', 'that'];
  await does('diff', ...before, '--after-user', 'me', '--after-password', 'it', from, to);
  assert.deepEqual(logins(first), new Set([basic('you:that')]));
  assert.deepEqual(logins(second), new Set([basic('me:it')]));
});

test('copy: an authority that is trusted says nothing of how the other end is spoken to', async () => {
  const authority = certificateAuthority();
  await using place = await world({}, { tls: authority.issue('127.0.0.1') });
  const { second, asked, does, from, to, file } = place;
  const ca = file('ca.pem');
  await writeFile(ca, authority.ca);
  const ends = [
    ['--cacert', ca],
    ['--to-cacert', ca],
    ['--plain-http', '--to-cacert', ca],
    ['--from-plain-http', '--to-cacert', ca],
    ['--insecure'],
    ['--to-insecure'],
  ];
  for (const [index, flags] of ends.entries()) {
    await does('copy', ...flags, from, `${to}${index}`);
    assert.ok(second.manifest('a/b', `1${index}`), flags.join(' '));
  }
  for (const flags of [['--from-cacert', ca], ['--from-insecure']]) {
    const { code, error } = await asked(['copy', ...flags, from, to]);
    assert.equal(code, 1, flags.join(' '));
    assert.match(error, /--to-cacert FILE|does not speak TLS|no trust/);
  }
});

test('--ns is for what is read: nothing is written in the name of another registry', async () => {
  await using place = await world();
  const { first, second, does, from, to, file } = place;
  const asksFor = (registry: Registry) =>
    registry.requests.filter(({ path: asked }) => asked.includes('ns=up.test'));
  await does('copy', '--ns', 'up.test', from, to);
  assert.ok(asksFor(first).length > 0);
  assert.deepEqual(asksFor(second), []);
  const reads = asksFor(first).length;
  await does('copy', '--ns', 'up.test', from, `${first.host}/team/app:1`);
  assert.ok(asksFor(first).length > reads);
  await does('copy', from, `oci:${file('oci')}:1`);
  await does('push', '--ns', 'up.test', `oci:${file('oci')}:1`, `${first.host}/pushed/app:1`);
  assert.deepEqual(
    asksFor(first).filter(
      ({ method, path: asked }) => !/^(GET|HEAD)$/.test(method) || /team|pushed/.test(asked),
    ),
    [],
  );
});

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import {
  fileCredentials,
  firstCredentials,
  givenCredentials,
} from '../../src/upstream/credentials.ts';
import { helperCredentials } from '../../src/upstream/credential-helper.ts';
import { dockerCredentials } from '../../src/upstream/docker-config.ts';
import { normalHost } from '../../src/upstream/docker-host.ts';
import { failure, testClock } from './support.ts';

async function folder(): Promise<
  AsyncDisposable & {
    file(name: string, text: string, mode?: number): Promise<string>;
    path: string;
  }
> {
  const root = await mkdtemp(path.join(tmpdir(), 'credentials-'));
  return {
    path: root,
    async file(name, text, mode = 0o600) {
      const at = path.join(root, name);
      await writeFile(at, text, { mode });
      return at;
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

const basic = (username: string, password: string) => ({ kind: 'basic', username, password });
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('from a file, read anew each time', async () => {
  await using temp = await folder();
  const file = await temp.file('password', 'one two\n');
  const source = fileCredentials('me', file);
  assert.partialDeepStrictEqual(await source('x'), basic('me', 'one two'));
  await writeFile(file, 'three');
  assert.partialDeepStrictEqual(await source('x'), basic('me', 'three'));
  await rm(file);
  assert.ok((await failure(source('x'), 'UPSTREAM_UNAVAILABLE')).message.includes(file));
  const nothing = async () => undefined;
  assert.deepEqual(
    await firstCredentials(nothing, givenCredentials('a', 'b'))('x'),
    basic('a', 'b'),
  );
});

test('from docker\u2019s config.json', async () => {
  await using temp = await folder();
  const file = await temp.file(
    'config.json',
    JSON.stringify({
      auths: {
        'https://index.docker.io/v1/': { auth: base64('hub:pass:word\0\0') },
        'https://quay.io/v2/': { username: 'q', password: 'p' },
        'acr.example': {
          auth: base64('00000000-0000-0000-0000-000000000000:'),
          identitytoken: 'refresh',
        },
        'reg.example:5000': { registrytoken: 'access' },
        'empty.example': {},
        'odd.example': { auth: '!!' },
      },
    }),
  );
  const source = dockerCredentials(file, { environment: {} });
  assert.partialDeepStrictEqual(await source('docker.io'), basic('hub', 'pass:word'));
  assert.partialDeepStrictEqual(await source('registry-1.docker.io'), basic('hub', 'pass:word'));
  assert.partialDeepStrictEqual(await source('quay.io'), basic('q', 'p'));
  assert.partialDeepStrictEqual(await source('acr.example'), {
    kind: 'identity',
    username: '00000000-0000-0000-0000-000000000000',
    token: 'refresh',
  });
  assert.partialDeepStrictEqual(await source('reg.example:5000'), {
    kind: 'bearer',
    token: 'access',
  });
  for (const host of ['reg.example', 'empty.example', 'odd.example', 'other.example']) {
    assert.equal(await source(host), undefined, host);
  }
  const missing = dockerCredentials(path.join(temp.path, 'none.json'), { environment: {} });
  assert.equal(await missing('docker.io'), undefined);
});

test('a broken config.json is an error that does not quote it', async () => {
  await using temp = await folder();
  const file = await temp.file('config.json', '{"auths": secret');
  const source = dockerCredentials(file, { environment: {} });
  const error = await failure(source('docker.io'), 'UPSTREAM_UNAVAILABLE');
  assert.ok(error.message.includes(file));
  assert.ok(!error.message.includes('secret') && error.cause === undefined);
});

const HELPER = `#!/bin/sh
read -r server
echo "$1 $server" >> "$CALLS"
case "$server" in
  quay.io) echo '{"ServerURL":"quay.io","Username":"h","Secret":"s"}' ;;
  https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"refresh"}' ;;
  odd.example) echo 'secret nonsense' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`;

test('from credential helpers, remembered for a minute', async () => {
  await using temp = await folder();
  await temp.file('docker-credential-test', HELPER, 0o700);
  const environment = { PATH: `${temp.path}:/usr/bin:/bin`, CALLS: path.join(temp.path, 'calls') };
  const clock = testClock();
  const file = await temp.file(
    'config.json',
    JSON.stringify({ credHelpers: { 'quay.io': 'test' }, credsStore: 'test' }),
  );
  const source = dockerCredentials(file, { environment, clock });
  assert.partialDeepStrictEqual(await source('quay.io'), basic('h', 's'));
  assert.partialDeepStrictEqual(await source('docker.io'), {
    kind: 'identity',
    username: '<token>',
    token: 'refresh',
  });
  assert.equal(await source('nowhere.example'), undefined);
  const odd = await failure(source('odd.example'), 'UPSTREAM_UNAVAILABLE');
  assert.ok(!odd.message.includes('secret') && odd.cause === undefined);
  await temp.file('docker-credential-test', '#!/bin/sh\nexit 1\n', 0o700);
  assert.partialDeepStrictEqual(await source('quay.io'), basic('h', 's'));
  clock.pass(61_000);
  assert.equal(await source('quay.io'), undefined);
  assert.deepEqual(await source('docker.io'), undefined);
  await failure(helperCredentials('absent', { environment })('x'), 'UPSTREAM_UNAVAILABLE');
  await failure(helperCredentials('../x', { environment })('x'), 'UPSTREAM_UNAVAILABLE');
});

test('keys of config.json name hosts in many ways', () => {
  const same = [
    'docker.io',
    'https://index.docker.io/v1/',
    'registry-1.docker.io',
    'index.docker.io/v1',
  ];
  for (const key of same) assert.equal(normalHost(key), 'docker.io');
  assert.equal(normalHost('https://Ghcr.io/'), 'ghcr.io');
  assert.equal(normalHost('localhost:5000/v2'), 'localhost:5000');
});

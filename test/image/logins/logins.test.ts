import assert from 'node:assert/strict';
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { RegistryError } from '../../../src/core/errors.ts';
import { changeConfig } from '../../../src/image/logins/config-file.ts';
import { storedCredentials } from '../../../src/image/logins/credential-files.ts';
import { logins } from '../../../src/image/logins/logins.ts';
import { temporaryFolder, type TemporaryFolder } from '../../fixtures/temporary.ts';

const ME = { kind: 'basic', username: 'me', password: 'a:b' } as const;
const ENCODED = Buffer.from('me:a:b').toString('base64');
const HUB = 'https://index.docker.io/v1/';

async function home(): Promise<
  TemporaryFolder & { readonly environment: { HOME: string; PATH: string } }
> {
  const folder = await temporaryFolder();
  const PATH = `${folder.path}:${process.env['PATH'] ?? ''}`;
  return Object.assign(folder, { environment: { HOME: folder.path, PATH } });
}

async function json(file: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(file, 'utf8'));
}

async function write(file: string, value: unknown): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
}

/** A credential helper that keeps what it is given in a folder. */
async function helper(folder: TemporaryFolder, name: string): Promise<void> {
  const program = path.join(folder.path, `docker-credential-${name}`);
  const script = `#!${process.execPath}
const fs = require('node:fs');
const file = ${JSON.stringify(path.join(folder.path, `${name}.json`))};
const all = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : {};
const input = fs.readFileSync(0, 'utf8');
const save = () => fs.writeFileSync(file, JSON.stringify(all));
switch (process.argv[2]) {
  case 'store': { const entry = JSON.parse(input); all[entry.ServerURL] = entry; save(); break; }
  case 'erase': if (!all[input]) process.exit(1); delete all[input]; save(); break;
  case 'get': if (!all[input]) process.exit(1); console.log(JSON.stringify(all[input])); break;
  case 'list': console.log(JSON.stringify(Object.fromEntries(Object.entries(all).map(([k, v]) => [k, v.Username]))));
}
`;
  await writeFile(program, script);
  await chmod(program, 0o755);
}

test('a login is written as docker writes it, private, and everything else stays', async () => {
  await using place = await home();
  const file = await write(path.join(place.path, '.docker/config.json'), {
    auths: { 'index.docker.io': { auth: 'b2xkOm9sZA==' }, 'quay.io': { auth: 'eDp5' } },
    psFormat: 'table',
    proxies: { default: { httpProxy: 'x' } },
  });
  const kept = logins(place.environment);
  assert.equal(await kept.store('docker.io', ME), file);
  assert.deepEqual(await json(file), {
    auths: { 'quay.io': { auth: 'eDp5' }, [HUB]: { auth: ENCODED } },
    psFormat: 'table',
    proxies: { default: { httpProxy: 'x' } },
  });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.partialDeepStrictEqual(await storedCredentials(place.environment)('docker.io'), ME);
  assert.deepEqual(await readdir(path.dirname(file)), ['config.json']);
});

test('the first login makes folder and file; DOCKER_CONFIG moves them', async () => {
  await using place = await home();
  const environment = { ...place.environment, DOCKER_CONFIG: path.join(place.path, 'a/b') };
  const file = await logins(environment).store('localhost:5000', ME);
  assert.equal(file, path.join(place.path, 'a/b/config.json'));
  assert.equal((await stat(path.dirname(file))).mode & 0o777, 0o700);
  assert.deepEqual(await json(file), { auths: { 'localhost:5000': { auth: ENCODED } } });
});

test('an identity token is kept as one', async () => {
  await using place = await home();
  const kept = logins(place.environment);
  const identity = { kind: 'identity', username: 'me', token: 'long' } as const;
  await kept.store('a.example', identity);
  assert.partialDeepStrictEqual(await storedCredentials(place.environment)('a.example'), identity);
});

test('a symbolic link stays one, what it points to is replaced', async () => {
  await using place = await home();
  const real = await write(path.join(place.path, 'real/config.json'), { kept: 1 });
  await mkdir(path.join(place.path, '.docker'));
  const link = path.join(place.path, '.docker/config.json');
  await symlink('../real/config.json', link);
  await logins(place.environment).store('a.example', ME);
  assert.deepEqual(await json(real), { kept: 1, auths: { 'a.example': { auth: ENCODED } } });
  assert.deepEqual(
    await readdir(path.dirname(link), { withFileTypes: true }).then((entries) =>
      entries.map((entry) => entry.isSymbolicLink()),
    ),
    [true],
  );
});

test('many logins at once are all kept', async () => {
  await using place = await home();
  const hosts = Array.from({ length: 20 }, (_, index) => `h${index}.example`);
  await Promise.all(hosts.map((host) => logins(place.environment).store(host, ME)));
  const { auths } = await json(path.join(place.path, '.docker/config.json'));
  assert.deepEqual(Object.keys(auths as object).toSorted(), hosts.toSorted());
});

test('a lock that was left behind does not hold for ever', async () => {
  await using place = await home();
  const file = path.join(place.path, 'config.json');
  const lock = await write(`${file}.lock`, '');
  const old = new Date(Date.now() - 60_000);
  await utimes(lock, old, old);
  await changeConfig(file, () => ({ changed: true }));
  assert.deepEqual(await json(file), { changed: true });
  assert.deepEqual(await readdir(place.path), ['config.json']);
});

test('a file that is not JSON is left alone', async () => {
  await using place = await home();
  const file = await write(path.join(place.path, '.docker/config.json'), '{ "auths": secret');
  await assert.rejects(
    logins(place.environment).store('a.example', ME),
    (error) => error instanceof RegistryError && !error.message.includes('secret'),
  );
  assert.equal(await readFile(file, 'utf8'), '{ "auths": secret');
});

test('a folder that cannot be written is told, and nothing is left behind', async () => {
  await using place = await home();
  const file = path.join(place.path, 'file');
  await write(file, 'x');
  await assert.rejects(
    changeConfig(path.join(file, 'config.json'), () => ({})),
    (error) => error instanceof RegistryError && error.code === 'STORAGE_UNAVAILABLE',
  );
});

test('logout takes the login from docker’s and crpy’s file, and tells who else has one', async () => {
  await using place = await home();
  const crpy = await write(path.join(place.path, '.crpy/config.json'), {
    auths: { 'index.docker.io': { auth: ENCODED } },
  });
  const podman = await write(path.join(place.path, '.config/containers/auth.json'), {
    auths: { 'docker.io': { auth: ENCODED } },
  });
  const kept = logins(place.environment);
  const file = await kept.store('docker.io', ME);
  await kept.store('a.example', ME);
  assert.deepEqual(await kept.remove('docker.io'), { removed: [file, crpy], left: [podman] });
  assert.deepEqual(await kept.remove('docker.io'), { removed: [], left: [podman] });
  assert.deepEqual(await json(crpy), { auths: {} });
  assert.deepEqual(await json(file), { auths: { 'a.example': { auth: ENCODED } } });
});

test('helpers: stored, found, listed and erased there, and no secret in the file', async () => {
  await using place = await home();
  await helper(place, 'one');
  await helper(place, 'two');
  const file = await write(path.join(place.path, '.docker/config.json'), {
    credsStore: 'one',
    credHelpers: { 'b.example': 'two' },
  });
  const kept = logins(place.environment);
  assert.equal(await kept.store('docker.io', ME), 'docker-credential-one');
  assert.equal(await kept.store('b.example', ME), 'docker-credential-two');
  assert.deepEqual((await json(file))['auths'], { [HUB]: {}, 'b.example': {} });
  assert.partialDeepStrictEqual(await storedCredentials(place.environment)('docker.io'), ME);
  assert.deepEqual(await kept.list('shown'), [
    { registry: 'b.example', username: 'me', place: 'docker-credential-two', secret: 'a:b' },
    { registry: 'docker.io', username: 'me', place: 'docker-credential-one', secret: 'a:b' },
  ]);
  assert.deepEqual(await kept.remove('docker.io'), {
    removed: ['docker-credential-one'],
    left: [],
  });
  assert.equal(await storedCredentials(place.environment)('docker.io'), undefined);
  assert.deepEqual(await kept.list('hidden'), [
    { registry: 'b.example', username: 'me', place: 'docker-credential-two' },
  ]);
});

test('files in their order: docker, REGISTRY_AUTH_FILE, podman, crpy; keys with a path before hosts', async () => {
  await using place = await home();
  const auth = (name: string) => ({ auth: Buffer.from(`${name}:x`).toString('base64') });
  await write(path.join(place.path, '.docker/config.json'), {
    auths: { 'a.example': auth('docker') },
  });
  const given = await write(path.join(place.path, 'given.json'), {
    auths: { 'a.example': auth('given'), 'b.example': auth('given') },
  });
  await write(path.join(place.path, 'run/containers/auth.json'), {
    auths: {
      'b.example': auth('run'),
      'c.example': auth('run'),
      'c.example/org': auth('org'),
      'c.example/org/app': auth('app'),
    },
  });
  await write(path.join(place.path, '.config/containers/auth.json'), {
    auths: { 'c.example': auth('config'), 'd.example': auth('config') },
  });
  await write(path.join(place.path, '.crpy/config.json'), {
    auths: { 'd.example': auth('crpy'), 'e.example': auth('crpy') },
  });
  const environment = {
    ...place.environment,
    REGISTRY_AUTH_FILE: given,
    XDG_RUNTIME_DIR: path.join(place.path, 'run'),
  };
  const ask = async (host: string, at?: string) => {
    const found = await storedCredentials(environment)(host, at);
    return found?.kind === 'basic' ? found.username : undefined;
  };
  assert.deepEqual(
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((one) => ask(`${one}.example`))),
    ['docker', 'given', 'run', 'config', 'crpy', undefined],
  );
  assert.equal(await ask('c.example', 'org/app'), 'app');
  assert.equal(await ask('c.example', 'org/app/more'), 'app');
  assert.equal(await ask('c.example', 'org/other'), 'org');
  assert.equal(await ask('c.example', 'organ/app'), 'run');
  const listed = await logins(environment).list('hidden');
  assert.deepEqual(
    listed.map(({ registry, username }) => `${registry} ${username}`),
    [
      'a.example docker',
      'b.example given',
      'c.example run',
      'c.example/org org',
      'c.example/org/app app',
      'd.example config',
      'e.example crpy',
    ],
  );
  assert.ok(!JSON.stringify(listed).includes('secret'));
});

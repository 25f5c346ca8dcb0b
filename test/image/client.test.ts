import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { parseTag } from '../../src/core/reference.ts';
import { isLoopback } from '../../src/image/address.ts';
import { client } from '../../src/image/client.ts';
import { endpoints, type Endpoint } from '../../src/image/endpoints.ts';
import { parseLocation, parseReference } from '../../src/image/location.ts';
import { login } from '../../src/image/logins/login.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { collect, pattern } from '../fixtures/collect.ts';
import { gate } from '../fixtures/gate.ts';
import { memoryContent } from '../fixtures/memory-content.ts';
import { world } from '../fixtures/mirror-world.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const ME = { kind: 'basic', username: 'me', password: 'it' } as const;

async function fails(promise: Promise<unknown>, code: string, words: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  });
}

test('a registry on this machine without TLS is spoken to without, found out once', async () => {
  await using registry = await startRegistry();
  const { config } = registry.addImage('library/x', 'v1');
  await using made = client();
  const { source, repository, at } = await made.read(
    parseLocation(`${registry.host}/library/x:v1`),
  );
  assert.equal((await source.resolve(repository, at)).descriptor.mediaType.includes('oci'), true);
  await using blob = await source.blob(repository, config.digest);
  assert.equal((await collect(blob.body)).length, config.size);
  assert.equal(await made.registry(registry.host), await made.registry(registry.host));
});

test('TLS: trusted, not checked, or refused with the flags that help; never plain instead', async () => {
  await using folder = await temporaryFolder();
  const authority = certificateAuthority();
  await using registry = await startRegistry({ tls: authority.issue('127.0.0.1') });
  registry.addImage('library/x', 'v1');
  const cacert = path.join(folder.path, 'ca.pem');
  await writeFile(cacert, authority.ca);
  const tags = async (options: Parameters<typeof client>[0]) => {
    await using made = client({ retries: 0, ...options });
    const repository = { host: registry.host, path: 'library/x' };
    return (await (await made.registry(registry.host)).tags(repository)).items;
  };
  assert.deepEqual(await tags({ cacert }), ['v1']);
  assert.deepEqual(await tags({ insecure: true }), ['v1']);
  await fails(tags({}), 'UPSTREAM_UNAVAILABLE', /--cacert FILE.*--insecure/);
});

const DAMAGED = '-----BEGIN CERTIFICATE-----\nxxxx\n-----END CERTIFICATE-----\n';

test('a client certificate is shown; files that are missing, damaged or alone are told', async () => {
  await using folder = await temporaryFolder();
  const authority = certificateAuthority();
  const tls = { ...authority.issue('127.0.0.1'), clientCa: authority.ca };
  await using registry = await startRegistry({ tls });
  registry.addImage('library/x', 'v1');
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(path.join(folder.path, name), text);
    return path.join(folder.path, name);
  };
  const own = authority.issue('client');
  const cacert = await file('ca.pem', authority.ca);
  const cert = await file('cert.pem', own.cert);
  const key = await file('key.pem', own.key);
  await using made = client({ cacert, cert, key, retries: 0 });
  await (await made.registry(registry.host)).check();
  await using without = client({ cacert, retries: 0 });
  const refused = without.registry(registry.host).then((one) => one.check());
  await fails(refused, 'UPSTREAM_UNAVAILABLE', /TLS|was cut/);
  const other = await file('other.pem', authority.issue('other').key);
  const wrong = [
    [{ cert }, /--cert and --key belong together/],
    [{ cacert: `${cacert}.not` }, /--cacert: .*cannot be read/],
    [{ cacert: await file('text', 'x') }, /holds no certificate in PEM/],
    [{ cert, key: other }, /do not belong together/],
    [{ cacert: key }, /--cacert: .*key\.pem holds no certificate/],
    [{ cacert: await file('damaged', DAMAGED) }, /--cacert: .*damaged holds no certificate/],
    [{ cert: key, key }, /--cert: .*key\.pem holds no certificate/],
    [{ cert, key: cert }, /--key: .*cert\.pem holds no private key/],
  ] as const;
  for (const [options, words] of wrong) {
    await using bad = client(options);
    await fails(bad.registry(registry.host), 'REQUEST_INVALID', words);
  }
});

test('plain HTTP is for loopback hosts alone, unless it is asked for', () => {
  for (const host of [
    'localhost',
    'localhost:5000',
    'a.localhost',
    '127.0.0.1:1',
    '127.9.9.9',
    '[::1]:5000',
  ]) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of [
    'docker.io',
    'localhost.example',
    '128.0.0.1',
    '127.example',
    '[::2]',
    '10.0.0.1:80',
  ]) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('nothing listens: that is what is said', async () => {
  const registry = await startRegistry();
  const { host } = registry;
  await registry[Symbol.asyncDispose]();
  await using made = client({ retries: 0 });
  await fails((await made.registry(host)).check(), 'UPSTREAM_UNAVAILABLE', /cannot connect/);
});

test('through a mirror with ns; a registry in a private network may lead within it', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', realm: 'storage' } });
  registry.addImage('library/x', 'v1');
  await using made = client({ ns: 'docker.io' });
  const { source, repository, at } = await made.read(
    parseLocation(`${registry.host}/library/x:v1`),
  );
  await source.manifest(repository, at);
  assert.ok(registry.count({ path: /manifests\/v1\?ns=docker\.io$/ }) > 0);
});

test('a store on this disk is read instead of registries', async () => {
  await using place = await world();
  const { manifest } = place.registry.addImage('library/x', 'v1');
  const repository = { host: 'docker.io', path: 'library/x' };
  await place.mirror.manifest(repository, parseTag('v1'));
  await place.restart();
  await using made = client({ store: place.paths.root });
  await using opened = await made.read(parseLocation('x:v1'));
  const { descriptor } = await opened.source.manifest(opened.repository, opened.at);
  assert.equal(descriptor.digest, manifest.digest);
});

test('writing to a registry needs no commit, to an archive it does', async () => {
  await using registry = await startRegistry();
  await using made = client();
  const what = memoryContent(pattern(1000));
  await using sink = await made.write(parseLocation(`${registry.host}/team/app:v2`));
  await sink.sink.blob(sink.repository, what.descriptor, what.content);
  await sink.commit();
  assert.ok(registry.blob('team/app', what.descriptor.digest));
});

test('login: kept when the registry takes it, and used from then on', async () => {
  await using folder = await temporaryFolder();
  const environment = { HOME: folder.path };
  await using registry = await startRegistry({
    auth: { kind: 'bearer', username: 'me', password: 'it' },
  });
  const wrong = { ...ME, password: 'not it' };
  await fails(login(registry.host, wrong, environment), 'UNAUTHORIZED', /wrong user name/);
  const file = path.join(folder.path, '.docker/config.json');
  await assert.rejects(readFile(file));
  assert.equal(await login(registry.host, ME, environment), file);
});

test('endpoints: the token server, manifests, config and layers, and where they redirect', async () => {
  await using registry = await startRegistry({ auth: { kind: 'bearer', realm: 'storage' } });
  const image = registry.addImage('library/x', undefined, { layers: ['one', 'two'] });
  const platform = { os: 'linux', architecture: 'amd64' };
  registry.addIndex('library/x', 'v1', [{ ...image.manifest, platform }]);
  const [, two] = image.layers;
  registry.misbehave(
    { path: new RegExp(`^/v2/.*${two?.digest}`) },
    { kind: 'signed-redirect', uses: 9 },
  );
  await using made = client();
  const reference = parseReference(`${registry.host}/library/x:v1`);
  const found: Endpoint[] = [];
  for await (const one of endpoints(await made.registry(registry.host), reference, platform)) {
    found.push(one);
  }
  const port = (url: string): number => Number(new URL(url).port);
  assert.deepEqual(
    found.map(({ role, by, port }) => [role, by, port]),
    [
      ['manifest', 'name', port(registry.url)],
      ['auth', 'name', port(registry.storageUrl)],
      ['manifest', 'name', port(registry.url)],
      ['config', 'name', port(registry.url)],
      ['layer-0', 'name', port(registry.url)],
      ['layer-1', 'name', port(registry.url)],
      ['layer-1', 'redirect', port(registry.storageUrl)],
    ],
  );
  assert.deepEqual(found[0]?.addresses, [{ address: '127.0.0.1', family: 4 }]);
  assert.equal(found.at(-1)?.url, `${registry.storageUrl}/storage`);
});

test('whoever speaks HTTP on this machine is asked without trying TLS first; whoever speaks TLS never is', async () => {
  await using registry = await startRegistry();
  registry.addImage('library/x', 'v1');
  assert.equal(await greets(registry.host), true);
  await using guarded = await startRegistry({ auth: { kind: 'bearer' } });
  assert.equal(await greets(guarded.host), true);
  const authority = certificateAuthority();
  await using secure = await startRegistry({ tls: authority.issue('127.0.0.1') });
  assert.equal(await greets(secure.host), false);
  registry.misbehave({ path: /^\/v2\/$/ }, { kind: 'status', status: 308 });
  assert.equal(await greets(registry.host), false);
  registry.misbehave({ path: /^\/v2\/$/ }, { kind: 'reset' });
  assert.equal(await greets(registry.host), false);
  const { host } = registry;
  await registry[Symbol.asyncDispose]();
  assert.equal(await greets(host), false);
});

test('who breaks off while greeting is no registry; who never comes to an end is not waited for', async () => {
  await using registry = await startRegistry();
  const root = { path: /^\/v2\/$/, times: 1 };
  registry.misbehave(root, { kind: 'cut', at: 1 });
  assert.equal(await greets(registry.host), false);
  const held = gate();
  registry.misbehave(root, { kind: 'hold-body', at: 1, gate: held });
  assert.equal(await greets(registry.host), true);
  held.open();
});

/** Over HTTP. */
async function greets(host: string): Promise<boolean> {
  await using made = client({ plainHttp: true });
  return await (await made.registry(host)).greets();
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { connect as connectClient } from '../../src/compose/client.ts';
import { RegistryError } from '../../src/core/errors.ts';
import { manifestOf } from '../../src/core/manifest.ts';
import { MEDIA_TYPES } from '../../src/core/media-type.ts';
import { parsePath, parseTag } from '../../src/core/reference.ts';
import { client, type ClientOptions } from '../../src/image/client.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

async function messageOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    assert.ok(error instanceof RegistryError, String(error));
    return error.message;
  }
  return assert.fail('it was not refused');
}

/** In front of a server with TLS: who speaks without it is told so by HTTP, as most servers do. */
async function answeringPlain(host: string): Promise<{ host: string } & AsyncDisposable> {
  const behind = Number(host.split(':').at(-1));
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (first) => {
      if (first[0] !== 0x16) {
        socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
        return;
      }
      const way = connect(behind, '127.0.0.1').on('error', () => socket.destroy());
      way.write(first);
      socket.pipe(way).pipe(socket);
      socket.on('close', () => way.destroy());
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a registry on this machine that wants a client certificate is never spoken to without TLS', async () => {
  await using folder = await temporaryFolder();
  const authority = certificateAuthority();
  const cacert = path.join(folder.path, 'ca.pem');
  await writeFile(cacert, authority.ca);
  await using registry = await startRegistry({
    tls: { ...authority.issue('127.0.0.1'), clientCa: authority.ca },
  });
  await using front = await answeringPlain(registry.host);
  const told = async (options: ClientOptions): Promise<string> => {
    await using made = client({ retries: 0, ...options });
    return await messageOf(made.registry(front.host).then((one) => one.check()));
  };
  for (const options of [{ cacert }, { insecure: true }] as const) {
    assert.match(await told(options), /--cert FILE and --key FILE show one/);
  }
  assert.match(await told({ plainHttp: true }), /answered 400.*leave out --plain-http/);
  await using plain = client({ plainHttp: true, retries: 0 });
  const opened = await plain.registry(front.host);
  const repository = { host: front.host, path: parsePath('team/app') };
  const manifest = manifestOf(
    Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}'),
    MEDIA_TYPES.ociManifest,
  );
  for (const asked of [
    () => opened.check(),
    () => opened.tags(repository),
    () => opened.sink.manifest(repository, parseTag('v1'), manifest),
  ]) {
    assert.match(await messageOf(asked()), / 400.*leave out --plain-http/);
  }
});

test('credentials that are refused are called so, with where they came from', async () => {
  await using folder = await temporaryFolder();
  const home = folder.path;
  const config = path.join(home, '.docker/config.json');
  const program = path.join(home, 'docker-credential-mine');
  await mkdir(path.dirname(config));
  await writeFile(program, '#!/bin/sh\necho \'{"Username":"me","Secret":"wrong"}\'\n');
  await chmod(program, 0o755);
  for (const kind of ['basic', 'bearer'] as const) {
    await using registry = await startRegistry({ auth: { kind, username: 'me', password: 'it' } });
    registry.addImage('team/app', '1');
    const { host } = registry;
    const told = async (password?: string): Promise<string> => {
      const user = password === undefined ? undefined : 'me';
      const environment = { HOME: home, PATH: `${home}:${process.env['PATH']}` };
      const connection = { user, cache: false } as const;
      await using made = await connectClient({ connection, password }, environment);
      const listed = made.registry(host).then((one) => one.tags({ host, path: 'team/app' }));
      return await messageOf(listed);
    };
    const refused = `refuses the user name and password of`;
    assert.match(await told('wrong'), new RegExp(`${refused} --user; .*layover login ${host}`));
    const auth = Buffer.from('me:wrong').toString('base64');
    await writeFile(config, JSON.stringify({ auths: { [host]: { auth } } }));
    assert.ok((await told()).includes(`${refused} ${config}; `));
    await writeFile(config, JSON.stringify({ credsStore: 'mine' }));
    assert.ok((await told()).includes(`${refused} docker-credential-mine; `));
    await writeFile(config, '{}');
    assert.match(await told(), /not found, or access denied/);
  }
});

test('what a mirror says of why something is not there is told', async () => {
  await using registry = await startRegistry();
  const message = 'nope.example is not mirrored here:\n no key upstreams.nope.example';
  registry.misbehave(
    { path: /\/v2\/./ },
    { kind: 'status', status: 404, body: { errors: [{ code: 'NAME_UNKNOWN', message }] } },
  );
  await using made = client({ ns: 'nope.example', retries: 0 });
  const asked = made.registry(registry.host).then((one) => one.tags({ host: 'x', path: 'a/b' }));
  assert.match(
    await messageOf(asked),
    /a\/b: not there \(nope\.example is not mirrored here: +no key upstreams\.nope\.example\)$/,
  );
});

test('how long a registry that limits its rate wants to be left alone is told', async () => {
  await using registry = await startRegistry();
  const headers = { 'retry-after': '17' };
  registry.misbehave({ path: /\/v2\/./ }, { kind: 'status', status: 429, headers });
  await using made = client({ retries: 0 });
  const asked = made.registry(registry.host).then((one) => one.tags({ host: 'x', path: 'a/b' }));
  assert.match(await messageOf(asked), /limits its rate, again after 17 s; /);
});

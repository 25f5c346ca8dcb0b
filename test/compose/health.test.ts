import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { actionsFor } from '../../src/compose/actions.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { temporaryFolder, type TemporaryFolder } from '../fixtures/temporary.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What `layover health` says of the server with this configuration. */
async function configured(folder: TemporaryFolder, settings: object = {}) {
  const [port, admin] = [await freePort(), await freePort()];
  const config = path.join(folder.path, 'layover.yaml');
  const text = {
    listen: `0.0.0.0:${port}`,
    admin: { listen: `127.0.0.1:${admin}` },
    storage: { path: path.join(folder.path, 'data') },
    ...settings,
  };
  await writeFile(config, JSON.stringify(text));
  const health = () =>
    actionsFor({ version: '0.0.0', environment: {} }).health({ config, overrides: [] });
  return { config, health };
}

async function serving(config: string, named: 'flag' | 'variable' = 'flag') {
  const env = { ...process.env, ...(named === 'variable' && { LAYOVER_CONFIG: config }) };
  const flags = named === 'flag' ? ['--config', config] : [];
  const child = spawn(LAUNCHER, ['serve', ...flags], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('"msg":"serving"')) break;
  }
  child.stdout.resume();
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

suite('health', () => {
  test('one variable names the configuration for the server and for the question, as in a container', async () => {
    await using folder = await temporaryFolder();
    const { config } = await configured(folder);
    const environment = { LAYOVER_CONFIG: config };
    const asked = () =>
      actionsFor({ version: '0.0.0', environment }).health({ config: undefined, overrides: [] });
    assert.match((await asked()) ?? '', /^no answer/);
    await using _server = await serving(config, 'variable');
    assert.equal(await asked(), undefined);
  });

  test('of a server that runs, of one whose store has gone, and of none', async () => {
    await using folder = await temporaryFolder();
    const { config, health } = await configured(folder);
    assert.match((await health()) ?? '', /no answer from http:\/\/127\.0\.0\.1:\d+\/readyz: .+/);
    {
      await using _server = await serving(config);
      assert.equal(await health(), undefined);
      await rename(path.join(folder.path, 'data'), path.join(folder.path, 'gone'));
      assert.match((await health()) ?? '', /answered 503: ./);
    }
    assert.match((await health()) ?? '', /no answer/);
  });

  for (const guarded of [false, true]) {
    test(`over TLS${guarded ? ' that wants a certificate of clients' : ''}`, async () => {
      await using folder = await temporaryFolder();
      const authority = certificateAuthority();
      const at = (name: string): string => path.join(folder.path, name);
      const { cert, key } = authority.issue('mirror.lan');
      await writeFile(at('cert.pem'), cert);
      await writeFile(at('key.pem'), key);
      await writeFile(at('ca.pem'), authority.ca);
      const tls = { cert: at('cert.pem'), key: at('key.pem') };
      const { config, health } = await configured(folder, {
        tls: guarded ? { ...tls, clientCa: at('ca.pem') } : tls,
      });
      await using _server = await serving(config);
      assert.equal(await health(), undefined);
      await rename(at('data'), at('gone'));
      assert.match((await health()) ?? '', /answered 503: ./);
    });
  }
});

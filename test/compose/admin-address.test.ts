import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { actionsFor } from '../../src/compose/actions.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { server } from './server.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

/** Something else that listens. */
async function occupied() {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      other.close();
      await once(other, 'close');
    },
  };
}

test('a server whose administration has no address: who would ask it is told why it cannot, and what to do', async () => {
  await using folder = await temporaryFolder();
  await using other = await occupied();
  const config = path.join(folder.path, 'other.yaml');
  const store = path.join(folder.path, 'data');
  const put = (file: string, said: string): Promise<void> =>
    writeFile(
      file,
      said.replace('admin: { listen: "127.0.0.1:0" }', `admin: { listen: "${other.address}" }`),
    );
  await using _server = await server(`storage: { path: ${store}, minFree: 0 }\n`, { put });
  await writeFile(config, `storage: { path: ${store}, minFree: 0 }\n`);
  const { upkeep } = actionsFor({ version: '0.0.0', environment: {} });
  await assert.rejects(upkeep.pin({ config, overrides: [] }, 'x:1'), {
    code: 'STORAGE_UNAVAILABLE',
    message: /^process \d+ has the store .* no administration to ask: .*admin\.listen was in use/,
  });
});

test('where clients cannot be served because the address is in use its key is named', async () => {
  await using folder = await temporaryFolder();
  await using other = await occupied();
  const config = path.join(folder.path, 'layover.yaml');
  await writeFile(
    config,
    `listen: ${other.address}\nadmin: { listen: "127.0.0.1:0" }\nstorage: { path: ${folder.path}/data, minFree: 0 }\n`,
  );
  const child = spawn(LAUNCHER, ['serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(child.exitCode, 1);
  assert.match(said, /cannot listen at 127\.0\.0\.1:\d+, which the key listen names: it is in use/);
  assert.ok(!said.includes('    at '), said);
});

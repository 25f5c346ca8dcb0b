import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { mountableBy } from '../../src/compose/mountable.ts';
import { load } from '../../src/config/load.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

const TEXT = `
hosted: ['apps/**']
upstreams:
  open.example: {}
  login.example: { credentials: { username: u, password: p } }
  header.example: { headers: { X-Api-Key: secret } }
  known.example: {}
  partly.example: {}
`;

async function answers(environment: Record<string, string>) {
  const { config } = load({ file: { name: 'c', text: TEXT }, environment: {}, overrides: [] });
  const mountable = mountableBy(() => config, environment);
  const all = [
    { host: HOSTED, path: 'apps/api' },
    { host: HOSTED, path: 'other/api' },
    { host: 'open.example', path: 'a/b' },
    { host: 'gone.example', path: 'a/b' },
    { host: 'login.example', path: 'a/b' },
    { host: 'header.example', path: 'a/b' },
    { host: 'known.example', path: 'a/b' },
    { host: 'partly.example', path: 'team/app' },
    { host: 'partly.example', path: 'free/app' },
  ];
  const may = await Promise.all(all.map(mountable));
  return all.flatMap(({ host, path: name }, at) => (may[at] === true ? [`${host}/${name}`] : []));
}

const ANONYMOUS = ['_hosted/apps/api', 'open.example/a/b'];

test('what lives here and what needs no login can be mounted from, and nothing that is not configured', async () => {
  const others = ['known.example/a/b', 'partly.example/team/app', 'partly.example/free/app'];
  assert.deepEqual(await answers({}), [...ANONYMOUS, ...others]);
});

test("a login of docker's file counts, for the repositories that it is for", async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'config.json');
  const auth = Buffer.from('user:secret').toString('base64');
  const auths = { 'known.example': { auth }, 'partly.example/team': { auth } };
  await writeFile(file, JSON.stringify({ auths }));
  const environment = { DOCKER_CONFIG: folder.path };
  assert.deepEqual(await answers(environment), [...ANONYMOUS, 'partly.example/free/app']);
  await writeFile(file, 'no JSON');
  assert.deepEqual(await answers(environment), ['_hosted/apps/api'], 'who knows what it says');
});

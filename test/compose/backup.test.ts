import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { digestOf } from '../../src/core/digest.ts';
import { commandsUnder } from '../fixtures/documents.ts';
import { server } from './server.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));
const run = promisify(execFile);

const SETTINGS =
  'storage: { path: FOLDER/data, minFree: 0 }\nhosted: ["apps/*"]\ngc: { every: 0 }\nupstreams: {}\n';
const TYPE = 'application/vnd.oci.image.manifest.v1+json';

async function put(url: string, type: string, body: Buffer): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body });
  assert.equal(answer.status, 201, `${url}: ${await answer.text()}`);
}

/** Pushes an image of two blobs that are its own. */
async function push(registry: string, tag: string): Promise<void> {
  const base = `${registry}/v2/apps/x`;
  const [config, layer] = [Buffer.from(`{"x":"${tag}"}`), Buffer.from(`layer of ${tag}`)];
  for (const bytes of [config, layer]) {
    const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(begun.headers.get('location') ?? '', base);
    location.searchParams.set('digest', digestOf(bytes));
    await put(location.href, 'application/octet-stream', bytes);
  }
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: TYPE,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  };
  await put(`${base}/manifests/${tag}`, TYPE, Buffer.from(JSON.stringify(manifest)));
}

async function pull(registry: string, tag: string): Promise<void> {
  const base = `${registry}/v2/apps/x`;
  const manifest = await fetch(`${base}/manifests/${tag}`, { headers: { accept: TYPE } });
  assert.equal(manifest.status, 200, tag);
  const { config, layers } = (await manifest.json()) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  for (const { digest } of [config, ...layers]) {
    const answer = await fetch(`${base}/blobs/${digest}`);
    assert.equal(digestOf(Buffer.from(await answer.arrayBuffer())), digest);
  }
}

test('a store that is pushed to is copied as the document says; the copy is whole, and is served from', async () => {
  await using here = await server(SETTINGS);
  const [store, copy] = [here.at('data'), here.at('copy')];
  for (const tag of ['v1', 'v2']) await push(here.url, tag);
  await writeFile(path.join(store, 'pins.json'), '["docker.io/library/*"]');
  const [commands = '', restore = ''] = await commandsUnder('docs/operations.md', 'Back-up');
  let copied = false;
  const pushes = (async () => {
    for (let number = 0; !copied; number += 1) await push(here.url, `during${number}`);
  })();
  const asHere = (text: string): string =>
    text.replaceAll('/var/lib/layover/data', store).replaceAll('/backup/layover', copy);
  await run('sh', ['-euc', asHere(commands)]).finally(() => (copied = true));
  await pushes;
  assert.deepEqual((await readdir(copy)).toSorted(), [
    'blobs',
    'oci-layout',
    'pins.json',
    'repositories',
  ]);

  await here.stop();
  await rm(store, { recursive: true });
  await mkdir(store);
  const bin = `${path.dirname(LAUNCHER)}:${process.env['PATH']}`;
  const options = { env: { ...process.env, PATH: bin, LAYOVER_CONFIG: here.file } };
  await run('sh', ['-euc', asHere(restore)], options);
  await here.start();
  const tags = (await readdir(path.join(copy, 'repositories/_hosted/apps/x/_tags'))).toSorted();
  assert.ok(tags.includes('v1') && tags.includes('v2'), tags.join());
  for (const tag of tags) await pull(here.url, tag);
  assert.match(await readFile(path.join(store, 'pins.json'), 'utf8'), /library/);
});

test('an index that another version has written is made anew; the store is served from as it is', async () => {
  await using here = await server(SETTINGS);
  await push(here.url, 'v1');
  await here.stop();
  const file = here.at('data/index/blobs.db');
  const form = (change = ''): unknown => {
    const database = new DatabaseSync(file);
    database.exec(change);
    const found = database.prepare('PRAGMA user_version').get()?.['user_version'];
    database.close();
    return found;
  };
  const own = form();
  for (const other of ['PRAGMA user_version = 1000000', 'PRAGMA user_version = 0']) {
    assert.notEqual(form(`${other}; DROP TABLE IF EXISTS blobs`), own);
    await here.start();
    await pull(here.url, 'v1');
    await here.stop();
    assert.equal(form(), own);
  }
});

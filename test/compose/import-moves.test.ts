import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { suite, test } from 'node:test';
import { administrationOf } from '../../src/compose/administration.ts';
import { startAdminServer } from '../../src/compose/admin-server.ts';
import { importThrough, type ImportedThere } from '../../src/compose/import-client.ts';
import { Importer } from '../../src/compose/importer.ts';
import { HOSTED } from '../../src/core/hosted.ts';
import type { HostedRepositories } from '../../src/hosted/repositories.ts';
import type { TagMoves } from '../../src/image/bundle/query.ts';
import { Paths } from '../../src/store/paths.ts';
import type { BuiltImage } from '../fixtures/image-builder.ts';
import { collect } from '../fixtures/collect.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { failsWith } from '../image/archive/source-contract.ts';
import {
  archiveFor,
  come,
  CONFIG,
  nameOf,
  recordOf,
  repository,
  V1,
} from '../image/bundle/coming.ts';
import { once, openWorld, seen } from '../image/bundle/world.ts';
import { server } from './server.ts';

const KINDS = {
  mirrored: [repository('docker.io', 'library/app'), repository('docker.io', 'library/base')],
  hosted: [repository('docker.io', 'library/app'), repository(HOSTED, 'team/base')],
} as const;

function queryOf(tags: TagMoves) {
  return { name: 'images.tar', platforms: [], tags };
}

function outcomes({ images: imported }: ImportedThere, images: readonly BuiltImage[]) {
  return images.map((image) => imported.find(({ name }) => name === nameOf(image))?.outcome);
}

/** As archives come, with something done before the last of it. */
async function* before(last: () => Promise<void>, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const end = bytes.length - 512;
  yield* once(bytes.subarray(0, end));
  await last();
  yield bytes.subarray(end);
}

/** Pushes the image as clients do. */
async function push(url: string, image: BuiltImage) {
  const { repository, source } = image;
  const { path } = repository;
  const headers = { 'Content-Type': 'application/octet-stream' };
  for (const { digest } of [image.config, ...image.layers]) {
    await using blob = await source.blob(repository, digest);
    const body = await collect(blob.body);
    const at = `${url}/v2/${path}/blobs/uploads/?digest=${digest}`;
    assert.equal((await fetch(at, { method: 'POST', headers, body })).status, 201);
  }
  const { bytes, descriptor } = image.manifest;
  const put = await fetch(`${url}/v2/${path}/manifests/${V1}`, {
    method: 'PUT',
    headers: { 'Content-Type': descriptor.mediaType },
    body: Buffer.from(bytes),
  });
  assert.equal(put.status, 201);
}

for (const kind of ['mirrored', 'hosted'] as const) {
  suite(`an image whose tag comes while a server imports it (${kind})`, () => {
    for (const tags of ['keep', 'spare', 'overwrite'] as const) {
      test(`when all has been read, and it is about to be visible (${tags})`, async () => {
        const { bytes, images, others } = await archiveFor(KINDS[kind]);
        const [first, second] = images as [BuiltImage, BuiltImage];
        const other = others[1] as BuiltImage;
        await using there = await openWorld({ config: CONFIG });
        const hosted: HostedRepositories = {
          ...there.hosted,
          async place(content, task) {
            await come(there, other);
            return there.hosted.place(content, task);
          },
        };
        const { store, config, folder } = there;
        await using importer = new Importer({ store, hosted, config: () => config });
        await using admin = await startAdminServer({ host: '127.0.0.1', port: 0 }, assert.ifError);
        admin.open({
          ...administrationOf(store, { repositories: hosted }),
          prefetch: () => assert.fail('nobody asks for it'),
          import: (query, body) => importer.import(query, body),
        });
        const server = { url: `http://${admin.address}`, store: new Paths(folder).root };
        const importing = importThrough(server, queryOf(tags), once(bytes));
        const was = other.manifest.descriptor.digest;
        const is = second.manifest.descriptor.digest;
        if (tags === 'keep') {
          const line = new RegExp(`\\n  ${nameOf(second)} means ${was}, there ${is}$`);
          await assert.rejects(importing, failsWith('DENIED', line));
          assert.equal(await recordOf(there, first.repository), undefined);
        } else {
          const expected = ['new', tags === 'spare' ? 'stays' : 'moved'];
          assert.deepEqual(outcomes(await importing, images), expected);
        }
        const record = await recordOf(there, second.repository);
        assert.equal(record?.descriptor.digest, tags === 'overwrite' ? is : was);
      });
    }

    test('while its archive is on its way', async () => {
      const { bytes, images, others } = await archiveFor(KINDS[kind]);
      const second = images[1] as BuiltImage;
      await using origin = await startRegistry();
      const upstream = origin.addImage('library/base', 'v1', { config: { text: 'the upstream' } });
      await using running = await server(
        `${CONFIG}\nupstreams: { docker.io: { url: "${origin.url}" } }`,
      );
      const paths = new Paths(running.at('data'));
      const address = running.lines.find(({ msg }) => msg === 'serving')?.['admin'];
      const admin = { url: `http://${String(address)}`, store: paths.root };
      const manifest = `/v2/${second.repository.path}/manifests/${V1}`;
      const arrive = async (): Promise<void> => {
        if (kind === 'hosted') return push(running.url, others[1] as BuiltImage);
        assert.equal((await running.get(manifest)).status, 200);
        const written = (): Promise<boolean> =>
          access(paths.tag(second.repository, V1)).then(
            () => true,
            () => false,
          );
        // The record follows the answer.
        while (!(await written()));
      };
      const was =
        kind === 'hosted' ? others[1]?.manifest.descriptor.digest : upstream.manifest.digest;
      const is = second.manifest.descriptor.digest;
      const now = async (): Promise<string | null> =>
        (await fetch(running.url + manifest)).headers.get('docker-content-digest');
      await assert.rejects(
        importThrough(admin, queryOf('keep'), before(arrive, bytes)),
        failsWith('DENIED', new RegExp(`\\n  ${nameOf(second)} means ${was}, there ${is}$`)),
      );
      assert.equal(await now(), was);
      const visible = (await seen(paths.root)).join('\n');
      for (const { digest } of images.flatMap((one) => [one.manifest.descriptor, ...one.layers])) {
        assert.equal(visible.includes(digest.slice('sha256:'.length)), false, digest);
      }
      const spared = await importThrough(admin, queryOf('spare'), once(bytes));
      assert.deepEqual(outcomes(spared, images), ['new', 'stays']);
      assert.equal(await now(), was);
      const moved = await importThrough(admin, queryOf('overwrite'), once(bytes));
      assert.deepEqual(outcomes(moved, images), ['same', 'moved']);
      assert.equal(await now(), is);
      const { status } = await running.get(`/v2/library/app/manifests/${V1}`);
      assert.equal(status, 200);
    });
  });
}

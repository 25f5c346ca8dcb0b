import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../../src/core/digest.ts';
import type { ErrorCode } from '../../../src/core/errors.ts';
import { formatLock, LARGEST_LOCK, LOCK_NAME, parseLock } from '../../../src/image/bundle/lock.ts';
import { walkTar } from '../../../src/layer/tar.ts';
import { file, folder, symlink, tarOf, type Item } from '../../fixtures/layer-builder.ts';
import { failsWith } from '../archive/source-contract.ts';
import { exported, filled, flipped, once, openWorld, seen } from './world.ts';

/** A good bundle taken apart. */
async function parts() {
  await using here = await openWorld();
  const image = await filled(here);
  const { bytes, lock } = await exported(here, ['docker.io/**']);
  const items: Item[] = [];
  for await (const entry of walkTar(once(bytes))) {
    const data: Uint8Array[] = [];
    for await (const chunk of entry.content()) data.push(Uint8Array.from(chunk));
    items.push(file(entry.name, Buffer.concat(data)));
  }
  return { image, bytes, lock, items };
}

const good = await parts();
const names = new Set(good.items.map(({ name }) => String(name)));
const layer = `blobs/sha256/${good.image.second.layers[1]?.digest.slice(7)}`;
const manifest = `blobs/sha256/${good.image.first.manifest.descriptor.digest.slice(7)}`;

const size = good.lock.content.reduce((sum, one) => sum + one.size, 0);
const packed = gzipSync(good.bytes);
const data = (name: string): Buffer =>
  Buffer.from(good.items.find((item) => item.name === name)?.data ?? '');
const replaced = (name: string, bytes: Uint8Array | string): readonly Item[] =>
  good.items.map((item) => (item.name === name ? file(name, bytes) : item));
const without = (...gone: string[]): readonly Item[] =>
  good.items.filter(({ name }) => !gone.includes(String(name)));
const relocked = (change: (lock: typeof good.lock) => typeof good.lock): readonly Item[] =>
  replaced(LOCK_NAME, formatLock(change(good.lock)));
const edited = (name: string, change: (text: string) => string): readonly Item[] =>
  replaced(name, change(data(name).toString()));

interface Case {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly code: ErrorCode;
  readonly message: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: 'one flipped byte in a layer',
    bytes: () => tarOf(replaced(layer, flipped(data(layer), 30))),
    code: 'DIGEST_INVALID',
    message: /damaged: what it has as sha256:/,
  },
  {
    name: 'one flipped byte in a manifest',
    bytes: () => tarOf(replaced(manifest, flipped(data(manifest), 30))),
    code: 'DIGEST_INVALID',
    message: /damaged/,
  },
  {
    name: 'one flipped byte in the compressed stream',
    bytes: () => flipped(packed, Math.floor(packed.length / 2)),
    code: 'MANIFEST_INVALID',
    message: /not an image archive|damaged/,
  },
  {
    name: 'a lock that is too large',
    bytes: () => tarOf(replaced(LOCK_NAME, Buffer.alloc(LARGEST_LOCK + 1, ' '))),
    code: 'MANIFEST_INVALID',
    message: /layover\.lock\.json is larger than any lock: 33554433 bytes, not 33554432 at most/,
  },
  {
    name: 'a lock that is a link',
    bytes: () => tarOf([...without(LOCK_NAME), symlink(LOCK_NAME, 'index.json')]),
    code: 'MANIFEST_INVALID',
    message: /its layover\.lock\.json is no file/,
  },
  {
    name: 'a layer that is missing',
    bytes: () => tarOf(without(layer)),
    code: 'BLOB_UNKNOWN',
    message: new RegExp(layer.slice('blobs/sha256/'.length)),
  },
  {
    name: 'a layer and a manifest that are missing, without a lock',
    bytes: () =>
      tarOf(without(LOCK_NAME, layer, `blobs/sha256/${good.image.first.config.digest.slice(7)}`)),
    code: 'BLOB_UNKNOWN',
    message: new RegExp(`${good.image.first.config.digest}.*needed by.*\n.*${layer.slice(13)}`),
  },
  {
    name: 'cut in the middle',
    bytes: () => good.bytes.subarray(0, good.bytes.length / 2),
    code: 'MANIFEST_INVALID',
    message: /truncated/,
  },
  {
    name: 'cut in the middle of the compressed stream',
    bytes: () => packed.subarray(0, packed.length / 2),
    code: 'MANIFEST_INVALID',
    message: /not an image archive/,
  },
  {
    name: 'nothing at all',
    bytes: () => Buffer.alloc(0),
    code: 'MANIFEST_INVALID',
    message: /empty/,
  },
  {
    name: 'no archive',
    bytes: () => Buffer.from('this is not an archive '.repeat(100)),
    code: 'MANIFEST_INVALID',
    message: /not an image archive/,
  },
  {
    name: 'a tar without images',
    bytes: () => tarOf([file('etc/passwd', 'root')]),
    code: 'MANIFEST_INVALID',
    message: /neither an index.json nor a manifest.json/,
  },
  ...['../escape', 'blobs/../../escape', '/etc/passwd'].map((name) => ({
    name: `a file called ${name}`,
    bytes: () => tarOf([...good.items, file(name, 'x')]),
    code: 'MANIFEST_INVALID' as const,
    message: /leads out of it/,
  })),
  ...[
    'blobs/sha256/xyz',
    'blobs/md5/d41d8cd98f00b204e9800998ecf8427e',
    `blobs/sha256/${'A'.repeat(64)}`,
  ].map((name) => ({
    name: `content called ${name}`,
    bytes: () => tarOf([...good.items, file(name, 'x')]),
    code: 'MANIFEST_INVALID' as const,
    message: /not named after a digest|not match the lock|not an image archive/,
  })),
  {
    name: 'a link that leads out in place of content',
    bytes: () => tarOf([...without(layer, LOCK_NAME), symlink(layer, '../../../../../etc/passwd')]),
    code: 'BLOB_UNKNOWN',
    message: /lacks content/,
  },
  {
    name: 'a device',
    bytes: () => tarOf([...good.items, { name: 'dev', flag: '3' }]),
    code: 'MANIFEST_INVALID',
    message: /neither file nor link/,
  },
  {
    name: 'two lists of images',
    bytes: () => tarOf([...good.items, file('index.json', data('index.json'))]),
    code: 'MANIFEST_INVALID',
    message: /two "index\.json"/,
  },
  {
    name: 'content that no lock lists',
    bytes: () =>
      tarOf([...good.items, file(`blobs/sha256/${digestOf(Buffer.from('x')).slice(7)}`, 'x')]),
    code: 'MANIFEST_INVALID',
    message: /does not match the lock, which does not list/,
  },
  {
    name: 'a lock that lists another size',
    bytes: () =>
      tarOf(
        relocked((lock) => ({
          ...lock,
          content: lock.content.map((one, at) => (at === 3 ? { ...one, size: one.size + 1 } : one)),
        })),
      ),
    code: 'MANIFEST_INVALID',
    message: /does not match the lock/,
  },
  {
    name: 'a lock that calls content something else',
    bytes: () =>
      tarOf(
        relocked((lock) => ({
          ...lock,
          content: lock.content.map((one, at) => (at === 3 ? { ...one, mediaType: 'a/b' } : one)),
        })),
      ),
    code: 'MANIFEST_INVALID',
    message: /does not match the lock\n.*is .*, not a\/b/,
  },
  {
    name: 'a lock with another image',
    bytes: () =>
      tarOf(
        relocked((lock) => ({
          ...lock,
          images: lock.images.map((one) => ({ ...one, name: 'docker.io/library/other:1' })),
        })),
      ),
    code: 'MANIFEST_INVALID',
    message: /has no docker\.io\/library\/other:1[^]*has docker\.io\/library\/app:latest as well/,
  },
  ...[false, true].map((hosted) => ({
    name: `a lock that calls an image by a name that leads out${hosted ? ', of a mirror itself' : ''}`,
    bytes: () =>
      tarOf(
        relocked((lock) => ({
          ...lock,
          images: lock.images.map((one) => ({ ...one, hosted, name: 'a/../../../escape:1' })),
        })),
      ),
    code: 'NAME_INVALID' as const,
    message: /escape/,
  })),
  {
    name: 'a lock without a layer that the image has',
    bytes: () =>
      tarOf(
        replaced(
          LOCK_NAME,
          formatLock({
            ...good.lock,
            content: good.lock.content.filter(({ digest }) => !layer.endsWith(digest.slice(7))),
          }),
        ).filter(({ name }) => name !== layer),
      ),
    code: 'BLOB_UNKNOWN',
    message: /lacks content/,
  },
  {
    name: 'a lock that is none',
    bytes: () => tarOf(edited(LOCK_NAME, () => '{}')),
    code: 'MANIFEST_INVALID',
    message: /no lock of a bundle/,
  },
  {
    name: 'an index that lists another root',
    bytes: () =>
      tarOf(
        edited('index.json', (text) =>
          text.replaceAll(
            good.image.index.descriptor.digest,
            good.image.first.manifest.descriptor.digest,
          ),
        ),
      ),
    code: 'MANIFEST_INVALID',
    message: /does not match the lock/,
  },
  {
    name: 'a registry that is not mirrored here',
    bytes: () =>
      tarOf(
        without(LOCK_NAME).map((item) =>
          item.name === 'index.json'
            ? file(
                'index.json',
                data('index.json').toString().replaceAll('docker.io/', 'nowhere.test/'),
              )
            : item,
        ),
      ),
    code: 'NAME_UNKNOWN',
    message: /nowhere\.test\/library\/app:latest.*key upstreams\.nowhere\.test/,
  },
  {
    name: 'an image without a registry',
    bytes: () =>
      tarOf(
        without(LOCK_NAME, 'manifest.json').map((item) =>
          item.name === 'index.json'
            ? file(
                'index.json',
                data('index.json')
                  .toString()
                  .replaceAll('docker.io/library/app:latest', 'v1')
                  .replaceAll('io.containerd.image.name', 'other'),
              )
            : item,
        ),
      ),
    code: 'NAME_INVALID',
    message: /what v1 is called.*--as/,
  },
  {
    name: 'a layout of a version that nobody knows',
    bytes: () => tarOf(replaced('oci-layout', '{"imageLayoutVersion":"9.0.0"}')),
    code: 'MANIFEST_INVALID',
    message: /version 1/,
  },
];

suite('of an archive that is not right nothing becomes visible, and nothing stays', () => {
  test('the parts are what they are taken for', async () => {
    await using there = await openWorld();
    assert.equal((await there.import(tarOf(good.items))).images.length, 1);
    assert.deepEqual(parseLock(data(LOCK_NAME), 'it'), good.lock);
    for (const name of [layer, manifest]) assert.ok(names.has(name));
  });

  for (const { name, bytes, code, message } of CASES) {
    test(name, async () => {
      await using there = await openWorld();
      await assert.rejects(there.import(bytes()), failsWith(code, message));
      assert.deepEqual(await seen(there.folder), []);
      assert.deepEqual(there.store.housekeeping.ledger.used, 0);
    });
  }

  test('entries in any order, folders and names with ./ are as good', async () => {
    await using there = await openWorld();
    const items = good.items.map((item) => ({ ...item, name: `./${String(item.name)}` }));
    const archive = tarOf([folder('.'), folder('./blobs'), ...items.toReversed()]);
    assert.equal((await there.import(archive)).images.length, 1);
  });

  test('without a lock whole platforms may lack, which is told', async () => {
    const { second } = good.image;
    const path = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;
    const own = `blobs/sha256/${second.layers[1]?.digest.slice(7)}`;
    for (const [gone, without] of [
      [[path(second.manifest.descriptor.digest), own], ['linux/arm64']],
      [[own], undefined],
      [[], []],
    ] as const) {
      await using there = await openWorld();
      const items = good.items.filter(({ name }) => ![LOCK_NAME, ...gone].includes(String(name)));
      const imported = there.import(tarOf(items));
      if (without === undefined) await assert.rejects(imported, failsWith('BLOB_UNKNOWN', /lacks/));
      else assert.deepEqual((await imported).images[0]?.without, without);
    }
  });

  test('what is here already and lacks in a bundle is told with the image that needs it', async () => {
    await using there = await openWorld();
    await there.import(good.bytes);
    await assert.rejects(
      there.import(tarOf(without(layer))),
      failsWith('BLOB_UNKNOWN', /needed by docker\.io\/library\/app:latest/),
    );
  });

  test('one that was stated beforehand has to be the same lock', async () => {
    await using there = await openWorld();
    const other = { ...good.lock, images: [] };
    await assert.rejects(
      there.import(good.bytes, { lock: other }),
      failsWith('MANIFEST_INVALID', /another lock/),
    );
    assert.deepEqual(await seen(there.folder), []);
    const archive = tarOf(without(LOCK_NAME));
    assert.equal((await there.import(archive, { lock: good.lock })).images.length, 1);
  });

  test('what does not fit is refused before the first byte is written', async () => {
    await using there = await openWorld({ maxSize: size / 2 });
    let read = 0;
    const counted = async function* () {
      for await (const chunk of once(good.bytes)) {
        read += chunk.length;
        yield chunk;
      }
    };
    await assert.rejects(
      there.import(counted()),
      failsWith(
        'STORAGE_UNAVAILABLE',
        /no room for the \d+ bytes of bundle\.tar: larger than what the budget leaves/,
      ),
    );
    assert.ok(read < good.bytes.length, 'most of it was not even read');
    assert.deepEqual(await seen(there.folder), []);
  });

  test('whoever gives up leaves nothing', async () => {
    await using there = await openWorld();
    const gone = new AbortController();
    const cut = async function* () {
      for await (const chunk of once(good.bytes)) {
        yield chunk;
        if (chunk.length < 10_000) gone.abort(new Error('given up'));
      }
      gone.abort(new Error('given up'));
    };
    await assert.rejects(there.import(cut(), { signal: gone.signal }), /given up/);
    assert.deepEqual(await seen(there.folder), []);
  });
});

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { digestOf } from '../../../src/core/digest.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import { parseImageManifest } from '../../../src/core/image-manifest.ts';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import type { Blob } from '../../../src/core/source.ts';
import { openPlace } from '../../../src/image/archive/open-place.ts';
import { openSink, type SinkOptions } from '../../../src/image/archive/open-sink.ts';
import type { OpenedSink } from '../../../src/image/opened.ts';
import { collect, pattern } from '../../fixtures/collect.ts';
import { buildImage } from '../../fixtures/image-builder.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';
import { failsWith } from './source-contract.ts';
import { image, NAME, overlapping, placeOf, writeImage, writeTo } from './written.ts';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

function descriptorOf(bytes: Uint8Array, mediaType = LAYER): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

interface World {
  readonly folder: string;
  readonly place: ReturnType<typeof placeOf>;
  readonly text: string;
  readonly open: (options?: SinkOptions) => Promise<OpenedSink>;
}

/** What every `OpenedSink` of a folder or an archive promises. `FOLDER` stands for an empty folder. */
export function sinkContract(what: string, text: string, options: SinkOptions = {}): void {
  const check = (name: string, body: (world: World) => Promise<void>): void => {
    test(`${what}: ${name}`, async () => {
      await using folder = await temporaryFolder();
      const place = placeOf(text.replace('FOLDER', folder.path));
      await body({
        folder: folder.path,
        place,
        text: text.replace('FOLDER', folder.path),
        open: (more = {}) => openSink(place, { name: NAME, ...options, ...more }),
      });
    });
  };
  const nothingIn = async (folder: string): Promise<void> =>
    assert.deepEqual(await readdir(folder), []);

  check('what is written is read again', async ({ open, place, folder }) => {
    const built = image();
    {
      await using opened = await open();
      await writeImage(opened.sink, opened, built);
      assert.ok(
        (await readdir(folder)).every((name) => name.startsWith('.')),
        'seen too early',
      );
      await opened.commit();
    }
    assert.equal((await readdir(folder)).length, 1, 'something is left');
    await using read = await openPlace(place);
    assert.deepEqual({ repository: read.repository, at: read.at }, NAME);
    const { bytes } = await read.source.manifest(read.repository, read.at);
    const { layers, config } = parseImageManifest(bytes);
    const digests = [config, ...layers].map(({ digest }) => digest);
    assert.deepEqual(
      digests,
      [built.config, ...built.layers].map(({ digest }) => digest),
    );
    for (const digest of digests) {
      await using blob = await read.source.blob(read.repository, digest);
      assert.equal(digestOf(await collect(blob.body)), digest);
    }
  });

  check('pieces that overlap, of several blobs at once', async ({ open, place }) => {
    const contents = Array.from({ length: 6 }, (_, index) => pattern(123_457 + index, index));
    const built = buildImage(contents, { packing: 'none' });
    await using opened = await open();
    const { sink, repository } = opened;
    const told: number[] = contents.map(() => 0);
    await Promise.all(
      built.layers.map((descriptor, index) =>
        sink.blob(
          repository,
          descriptor,
          async () => overlapping(contents[index] ?? contents[0]!),
          {
            progress: (count) => {
              told[index] = (told[index] ?? 0) + count;
            },
          },
        ),
      ),
    );
    assert.deepEqual(
      told,
      contents.map(({ length }) => length),
    );
    await writeImage(sink, opened, built);
    await opened.commit();
    await using read = await openPlace(place);
    for (const { digest } of built.layers) {
      await using blob = await read.source.blob(read.repository, digest);
      assert.equal(digestOf(await collect(blob.body)), digest);
    }
  });

  check('wrong content is refused, and right content taken after it', async ({ open, place }) => {
    const [bytes, neighbour] = [pattern(40_000), pattern(5_000, 9)];
    const built = buildImage([bytes, neighbour], { packing: 'none' });
    const [descriptor = descriptorOf(bytes), beside = descriptor] = built.layers;
    const wrong = Buffer.from(bytes);
    wrong[39_000] = (wrong[39_000] ?? 0) ^ 1;
    await using opened = await open();
    const { sink, repository } = opened;
    const giving = (blob: Blob) => sink.blob(repository, descriptor, async () => blob);
    await assert.rejects(giving(overlapping(wrong)), failsWith('DIGEST_INVALID'));
    await assert.rejects(giving(overlapping(bytes.subarray(1))), failsWith('SIZE_INVALID'));
    const [short, long] = [bytes.subarray(1), Buffer.concat([bytes, bytes])];
    await assert.rejects(giving(overlapping(short, bytes.length)), failsWith('SIZE_INVALID'));
    await assert.rejects(giving(overlapping(long, bytes.length)), failsWith('SIZE_INVALID'));
    const unread = { ...overlapping(bytes), pour: async () => {} };
    await assert.rejects(giving(unread), failsWith('SIZE_INVALID'));
    const gone = new RegistryError('BLOB_UNKNOWN');
    await assert.rejects(
      sink.blob(repository, descriptor, () => Promise.reject(gone)),
      gone,
    );
    await sink.blob(repository, beside, async () => overlapping(neighbour));
    assert.equal(await giving(overlapping(bytes)), 'written');
    await writeImage(sink, opened, built);
    await opened.commit();
    await using read = await openPlace({ ...place, image: NAME });
    for (const [digest, right] of [
      [descriptor.digest, bytes],
      [digestOf(neighbour), neighbour],
    ] as const) {
      await using blob = await read.source.blob(read.repository, digest);
      assert.ok((await collect(blob.body)).equals(right));
    }
  });

  check('content that never comes whole is nowhere in the end', async (world) => {
    const bytes = pattern(40_000);
    await using opened = await world.open();
    await writeImage(opened.sink, opened, image());
    const failing = opened.sink.blob(opened.repository, descriptorOf(bytes), async () =>
      overlapping(bytes.subarray(0, 100), bytes.length),
    );
    await assert.rejects(failing, failsWith('SIZE_INVALID'));
    const manifest = image(2).manifest;
    await assert.rejects(
      opened.sink.manifest(opened.repository, opened.at, manifest),
      failsWith('MANIFEST_BLOB_UNKNOWN'),
    );
    if (world.place.kind === 'oci') {
      await opened.commit();
      await using read = await openPlace(world.place);
      await assert.rejects(
        read.source.stat(read.repository, digestOf(bytes)),
        failsWith('BLOB_UNKNOWN'),
      );
    } else await assert.rejects(opened.commit(), failsWith('BLOB_UNKNOWN', /not written whole/));
  });

  check('one digest is written once, however many bring it', async ({ open }) => {
    const bytes = pattern(40_000);
    await using opened = await open();
    const { sink, repository } = opened;
    let times = 0;
    const placed = await Promise.all(
      Array.from({ length: 4 }, () =>
        sink.blob(repository, descriptorOf(bytes), async () => {
          times += 1;
          return overlapping(bytes);
        }),
      ),
    );
    assert.deepEqual(placed.toSorted(), ['present', 'present', 'present', 'written']);
    assert.equal(times, 1);
  });

  check('who waits for content that fails brings its own', async ({ open }) => {
    const bytes = pattern(40_000);
    await using opened = await open();
    const { sink, repository } = opened;
    const failing = sink.blob(repository, descriptorOf(bytes), async () =>
      overlapping(bytes.subarray(0, 100), bytes.length),
    );
    const waiting = sink.blob(repository, descriptorOf(bytes), async () => overlapping(bytes));
    await assert.rejects(failing, failsWith('SIZE_INVALID'));
    assert.equal(await waiting, 'written');
  });

  check('given up, it leaves nothing, whatever is on its way', async ({ open, folder }) => {
    const bytes = pattern(40_000);
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let writing: Promise<unknown>;
    {
      await using opened = await open();
      await writeImage(opened.sink, opened, image());
      const slow: Blob = {
        ...overlapping(bytes),
        async pour(write) {
          await write(bytes.subarray(0, 100));
          begun.resolve();
          await gate.promise;
          await write(bytes.subarray(100));
        },
      };
      writing = opened.sink.blob(opened.repository, descriptorOf(bytes), async () => slow);
      writing.catch(() => {});
      await begun.promise;
    }
    // The content stands still all the while: nobody waits for it.
    await nothingIn(folder);
    gate.resolve();
    await assert.rejects(writing, failsWith('STORAGE_UNAVAILABLE', /given up/));
    await nothingIn(folder);
  });

  check('a signal ends it between two pieces', async ({ open, folder }) => {
    const bytes = pattern(40_000);
    const stop = new AbortController();
    {
      await using opened = await open({ signal: stop.signal });
      await assert.rejects(
        opened.sink.blob(opened.repository, descriptorOf(bytes), async () => overlapping(bytes), {
          progress: () => stop.abort(new Error('enough')),
        }),
        /enough/,
      );
      await assert.rejects(opened.commit(), /enough/);
    }
    await nothingIn(folder);
  });

  check('what was there stays until the end', async ({ open, text, place }) => {
    await writeTo(text, image(1), options);
    {
      await using opened = await open();
      await writeImage(opened.sink, opened, image(2));
    }
    await using read = await openPlace(place);
    const { config } = parseImageManifest(
      (await read.source.manifest(read.repository, read.at)).bytes,
    );
    assert.equal(config.digest, image(1).config.digest);
  });

  check('a manifest has to be what its digest says', async ({ open }) => {
    const built = image();
    await using opened = await open();
    await writeImage(opened.sink, opened, built);
    const { descriptor } = built.manifest;
    const lying = { descriptor, bytes: image(2).manifest.bytes };
    await assert.rejects(
      opened.sink.manifest(opened.repository, opened.at, lying),
      failsWith('DIGEST_INVALID'),
    );
    await assert.rejects(
      opened.sink.manifest(opened.repository, image(2).manifest.descriptor.digest, built.manifest),
      failsWith('DIGEST_INVALID'),
    );
  });

  check('two images, one of them under two names', async ({ open, place }) => {
    const [one, two] = [image(1), image(2)];
    const other = { ...NAME, repository: { host: 'quay.io', path: 'other/app' } };
    {
      await using opened = await open();
      await writeImage(opened.sink, NAME, one);
      await writeImage(opened.sink, other, two);
      const { tag } = { tag: placeOf('oci:x:2.0').image };
      assert.ok(typeof tag === 'string');
      await opened.sink.manifest(NAME.repository, tag, one.manifest);
      await opened.commit();
    }
    await assert.rejects(openPlace(place), failsWith('MANIFEST_UNKNOWN', /several.*quay\.io/));
    await using read = await openPlace({ ...place, image: other });
    assert.equal(read.images.length, 2);
    assert.deepEqual(
      read.images.map(({ names }) => names.length),
      [2, 1],
    );
    const { bytes } = await read.source.manifest(read.repository, read.at);
    assert.equal(parseImageManifest(bytes).config.digest, two.config.digest);
    await assert.rejects(
      openPlace({ ...place, image: { ...other, repository: { host: 'a.b', path: 'c' } } }),
      failsWith('MANIFEST_UNKNOWN', /docker\.io\/team\/app:1\.2/),
    );
  });

  check('a name means what it was last given to', async ({ open, place }) => {
    {
      await using opened = await open();
      await writeImage(opened.sink, opened, image(1));
      await writeImage(opened.sink, opened, image(2));
      await opened.commit();
    }
    await using read = await openPlace({ ...place, image: NAME });
    const { bytes } = await read.source.manifest(read.repository, read.at);
    assert.equal(parseImageManifest(bytes).config.digest, image(2).config.digest);
    const names = read.images.flatMap((one) => one.names.filter(({ at }) => at === NAME.at));
    assert.equal(names.length, 1);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { RegistryError, type ErrorCode } from '../../../src/core/errors.ts';
import type { ImageManifest } from '../../../src/core/image-manifest.ts';
import { parseImageManifest } from '../../../src/core/image-manifest.ts';
import { parseTag } from '../../../src/core/reference.ts';
import type { Opened } from '../../../src/image/opened.ts';
import { collect, collectPoured } from '../../fixtures/collect.ts';

/** A place that holds one image with at least one layer of 1000 bytes or more, under a tag. */
export interface Subject {
  readonly opened: Opened;
  /** Changes a byte in the middle of that content, where it lies. */
  readonly damage: (descriptor: Descriptor) => Promise<void>;
}

export function failsWith(code: ErrorCode, saying = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, saying);
    return true;
  };
}

/** What every `Source` of the client promises, however its content lies. */
export function sourceContract(
  what: string,
  run: (use: (subject: Subject) => Promise<void>) => Promise<void>,
): void {
  const absent = digestOf(Buffer.from('absent'));
  const imageIn = async ({ source, repository, at }: Opened): Promise<ImageManifest> =>
    parseImageManifest((await source.manifest(repository, at)).bytes);
  const big = (image: ImageManifest): Descriptor => {
    const layer = image.layers.find(({ size }) => size >= 1000);
    assert.ok(layer);
    return layer;
  };
  const check = (name: string, body: (opened: Opened, subject: Subject) => Promise<void>): void => {
    test(`${what}: ${name}`, () => run((subject) => body(subject.opened, subject)));
  };

  check('a manifest is the same by tag and by digest', async ({ source, repository, at }) => {
    const byTag = await source.manifest(repository, at);
    const byDigest = await source.manifest(repository, byTag.descriptor.digest);
    assert.deepEqual(byDigest.descriptor, byTag.descriptor);
    assert.equal(digestOf(byTag.bytes), byTag.descriptor.digest);
    assert.equal(byTag.bytes.length, byTag.descriptor.size);
    const { descriptor } = await source.resolve(repository, at);
    assert.deepEqual(descriptor, byTag.descriptor);
  });

  check('all content is there, whole and right', async (opened) => {
    const { source, repository } = opened;
    const image = await imageIn(opened);
    for (const { digest, size } of [image.config, ...image.layers]) {
      assert.equal((await source.stat(repository, digest)).size, size);
      await using read = await source.blob(repository, digest);
      assert.deepEqual([read.size, read.span], [size, { start: 0, end: size }]);
      assert.equal(digestOf(await collect(read.body)), digest);
      await using poured = await source.blob(repository, digest);
      if (poured.pour) assert.equal(digestOf(await collectPoured(poured)), digest);
    }
  });

  check('parts of content', async (opened) => {
    const { source, repository } = opened;
    const { digest, size } = big(await imageIn(opened));
    await using whole = await source.blob(repository, digest);
    const bytes = await collect(whole.body);
    for (const [range, start, end] of [
      [{ from: 10, to: 99 }, 10, 100],
      [{ from: 500 }, 500, size],
      [{ from: 500, to: size * 2 }, 500, size],
      [{ last: 7 }, size - 7, size],
      [{ last: size * 2 }, 0, size],
    ] as const) {
      await using part = await source.blob(repository, digest, range);
      assert.deepEqual([part.size, part.span], [size, { start, end }]);
      assert.ok((await collect(part.body)).equals(bytes.subarray(start, end)));
    }
    await assert.rejects(
      source.blob(repository, digest, { from: size }),
      failsWith('RANGE_INVALID'),
    );
  });

  check('many read at once, and some do not read at all', async (opened) => {
    const { source, repository } = opened;
    const { digest } = big(await imageIn(opened));
    const blobs = await Promise.all(
      Array.from({ length: 8 }, () => source.blob(repository, digest)),
    );
    const digests = await Promise.all(
      blobs.slice(4).map(async ({ body }) => digestOf(await collect(body))),
    );
    assert.deepEqual(new Set(digests), new Set([digest]));
    for (const blob of blobs) await blob[Symbol.asyncDispose]();
    for (const blob of blobs) await blob[Symbol.asyncDispose]();
  });

  check('what is not there', async ({ source, repository }) => {
    await assert.rejects(source.stat(repository, absent), failsWith('BLOB_UNKNOWN'));
    await assert.rejects(source.blob(repository, absent), failsWith('BLOB_UNKNOWN'));
    await assert.rejects(source.manifest(repository, absent), failsWith('MANIFEST_UNKNOWN'));
    const tag = parseTag('no-such-tag');
    await assert.rejects(source.manifest(repository, tag), failsWith('MANIFEST_UNKNOWN'));
    await assert.rejects(source.resolve(repository, tag), failsWith('MANIFEST_UNKNOWN'));
    const elsewhere = { host: 'elsewhere.example', path: 'nothing' };
    await assert.rejects(source.tags(elsewhere), failsWith('NAME_UNKNOWN'));
    assert.deepEqual((await source.referrers(repository, absent)).items, []);
  });

  check('its tags', async ({ source, repository, at }) => {
    assert.deepEqual((await source.tags(repository)).items, [at]);
  });

  check('damaged content ends with an error', async (opened, { damage }) => {
    const layer = big(await imageIn(opened));
    await damage(layer);
    const { source, repository } = opened;
    await using read = await source.blob(repository, layer.digest);
    await assert.rejects(collect(read.body), failsWith('DIGEST_INVALID', /damaged/));
    await using poured = await source.blob(repository, layer.digest);
    await assert.rejects(
      (async () => poured.pour?.(async () => {}) ?? collect(poured.body))(),
      failsWith('DIGEST_INVALID'),
    );
  });
}

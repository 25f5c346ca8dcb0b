import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import type { Sink } from '../../../src/core/sink.ts';
import type { Blob, Write } from '../../../src/core/source.ts';
import { openSink, type SinkOptions } from '../../../src/image/archive/open-sink.ts';
import type { Place } from '../../../src/image/archive/open-place.ts';
import { parseLocation, parseReference } from '../../../src/image/location.ts';
import { pattern } from '../../fixtures/collect.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { file, tarOf } from '../../fixtures/layer-builder.ts';

export const NAME = parseReference('docker.io/team/app:1.2');

/** An image with a large and a small layer, both compressed. */
export function image(seed = 1): BuiltImage {
  const bytes = pattern(700_000, seed);
  return buildImage([[file('etc/large', bytes)], [file('etc/small', `${seed}`)]], {
    repository: NAME.repository,
    tag: '1.2',
  });
}

export function placeOf(text: string): Place {
  const location = parseLocation(text);
  if (location.kind === 'registry') throw new Error(`${text} is a registry`);
  return location;
}

/**
 * Like a blob of a disk: small reused buffers, two of them, the second filled and handed over while
 * the first is still being written.
 */
export function overlapping(bytes: Uint8Array, size = bytes.length): Blob {
  return {
    size,
    span: { start: 0, end: size },
    body: (async function* () {
      for (let at = 0; at < bytes.length; at += 10_000) yield bytes.slice(at, at + 10_000);
    })(),
    async pour(write: Write) {
      const buffers = [Buffer.alloc(10_000), Buffer.alloc(10_000)] as const;
      const writes: Promise<void>[] = [Promise.resolve(), Promise.resolve()];
      for (let at = 0, turn = 0; at < bytes.length; at += 10_000, turn = 1 - turn) {
        await writes[turn];
        const buffer = buffers[turn]!;
        const chunk = bytes.subarray(at, at + 10_000);
        buffer.fill(0xee);
        buffer.set(chunk);
        const writing = write(buffer.subarray(0, chunk.length));
        writing.catch(() => {});
        writes[turn] = writing;
      }
      await Promise.all(writes);
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Writes all of an image, its blobs at once. */
export async function writeImage(
  sink: Sink,
  { repository, at }: { repository: typeof NAME.repository; at: typeof NAME.at },
  { source, config, layers, manifest, repository: from }: BuiltImage,
): Promise<void> {
  await Promise.all(
    [config, ...layers].map((descriptor) =>
      sink.blob(repository, descriptor, (range) => source.blob(from, descriptor.digest, range)),
    ),
  );
  await sink.manifest(repository, at, manifest);
}

export async function writeTo(
  text: string,
  built = image(),
  options: SinkOptions = {},
): Promise<void> {
  await using opened = await openSink(placeOf(text), { name: NAME, ...options });
  await writeImage(opened.sink, opened, built);
  await opened.commit();
}

/** Changes a byte in the middle of content, in whatever file of the folder it lies. */
export async function damage(
  folder: string,
  { size }: Descriptor,
  content: Uint8Array,
): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const bytes = await readFile(path.join(folder, name)).catch(() => undefined);
    const at = bytes?.indexOf(content) ?? -1;
    if (bytes === undefined || at === -1) continue;
    const middle = at + Math.floor(size / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    await writeFile(path.join(folder, name), bytes);
    return;
  }
  throw new Error('the content is nowhere');
}

/** A plain layer of an archive made by hand, with its config. */
export function byHand(seed = 1): {
  readonly layers: readonly Buffer[];
  readonly gzipped: readonly Buffer[];
} {
  const layers = [
    tarOf([file('etc/large', pattern(50_000, seed))]),
    tarOf([file('etc/small', `${seed}`)]),
  ];
  return { layers, gzipped: layers.map((layer) => gzipSync(layer)) };
}

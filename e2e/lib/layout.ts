import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Content, Image } from './image.ts';
import { sha256 } from './sha256.ts';

/** Writes the image as an OCI layout whose only name is the tag (image-spec image-layout.md). */
export async function writeLayout(folder: string, image: Image, tag: string): Promise<void> {
  const blobs = join(folder, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  for (const { digest, bytes } of contents(image)) {
    await writeFile(join(blobs, digest.slice('sha256:'.length)), bytes);
  }
  const { mediaType, digest, size } = image;
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
  await writeFile(join(folder, 'index.json'), JSON.stringify(index));
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function contents(image: Image): readonly Content[] {
  return [image, ...image.blobs, ...image.children.flatMap(contents)];
}

/** The digest of the one manifest in a layout, once all that it needs is there and right. */
export async function onlyDigest(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'index.json'), 'utf8');
  const { manifests } = JSON.parse(text) as { manifests: readonly { digest: string }[] };
  const [first, ...others] = new Set(manifests.map(({ digest }) => digest));
  if (first === undefined || others.length > 0) throw new Error(`not one manifest: ${text}`);
  const { config, layers } = JSON.parse(await readFile(blobAt(folder, first), 'utf8')) as Record<
    'config',
    { digest: string }
  > &
    Record<'layers', readonly { digest: string }[]>;
  for (const digest of [first, config.digest, ...layers.map((layer) => layer.digest)]) {
    const found = await sha256(blobAt(folder, digest));
    if (found !== digest) throw new Error(`${digest} is ${found}`);
  }
  return first;
}

function blobAt(folder: string, digest: string): string {
  return join(folder, 'blobs', digest.replace(':', '/'));
}

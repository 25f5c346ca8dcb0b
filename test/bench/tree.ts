import { createHash } from 'node:crypto';
import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { image, noise, type Image } from '../../e2e/lib/image.ts';

export const REPOSITORY = 'library/bench';
const CHUNK = 16 * 1024 * 1024;

/** A registry's paths as plain files, for nginx to serve. */
export interface Tree {
  readonly root: string;
  readonly image: Image;
  /** Content of a random-looking blob of so many bytes. */
  blob(size: number, seed: string): Promise<Blob>;
  /** A blob of zeros that takes no room. */
  zeros(size: number): Promise<Blob>;
}

export interface Blob {
  readonly digest: string;
  readonly size: number;
  /** On every server. */
  readonly path: string;
}

export async function tree(root: string): Promise<Tree> {
  const folder = join(root, 'v2', REPOSITORY);
  await mkdir(join(folder, 'blobs'), { recursive: true });
  await mkdir(join(folder, 'manifests'), { recursive: true });
  const manifest = image({ message: 'bench\n', layers: [1000, 1000, 1000] });
  for (const at of ['v1', manifest.digest]) {
    await writeFile(join(folder, 'manifests', at), manifest.bytes);
  }
  for (const blob of manifest.blobs) {
    await writeFile(join(folder, 'blobs', blob.digest), blob.bytes);
  }
  const keep = async (
    size: number,
    fill: (position: number, length: number) => Uint8Array | undefined,
  ): Promise<Blob> => {
    const partial = join(folder, 'blobs', 'partial');
    const hash = createHash('sha256');
    const empty = Buffer.alloc(CHUNK);
    await using file = await open(partial, 'w');
    await file.truncate(size);
    for (let position = 0; position < size; position += CHUNK) {
      const length = Math.min(CHUNK, size - position);
      const bytes = fill(position, length);
      hash.update(bytes ?? empty.subarray(0, length));
      if (bytes !== undefined) await file.write(bytes, 0, length, position);
    }
    const digest = `sha256:${hash.digest('hex')}`;
    await rename(partial, join(folder, 'blobs', digest));
    return { digest, size, path: `/v2/${REPOSITORY}/blobs/${digest}` };
  };
  return {
    root,
    image: manifest,
    blob: (size, seed) => keep(size, (position, length) => noise(length, `${seed} ${position}`)),
    zeros: (size) => keep(size, () => undefined),
  };
}

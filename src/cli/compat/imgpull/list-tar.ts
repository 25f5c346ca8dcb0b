import type { Digest } from '../../../core/digest.ts';
import { isUnknown } from '../../../core/errors.ts';
import { entriesOf } from '../../../core/image-index.ts';
import { isIndexType, parseImageManifest } from '../../../core/image-manifest.ts';
import type { Manifest } from '../../../core/manifest.ts';
import { hostPlatform, matchesPlatform } from '../../../core/platform.ts';
import { formatReference, type Repository } from '../../../core/reference.ts';
import type { Source } from '../../../core/source.ts';
import { readPlace } from '../../../image/archive/open-place.ts';
import type { Context } from '../../context.ts';

/**
 * Prints the manifests of an archive, docker's or an OCI layout, each with its blobs. Of an index
 * only what is for this machine, and there.
 */
export async function listTar(file: string, { output }: Context): Promise<void> {
  await using place = await readPlace({ kind: 'docker-archive', file });
  const { source, images } = place;
  for (const { descriptor, names } of images) {
    const [name] = names;
    const repository = name?.repository ?? { host: 'localhost', path: 'image' };
    const url = name === undefined ? descriptor.digest : formatReference(repository, name.at);
    for await (const line of linesOf(source, repository, descriptor.digest, url)) output.out(line);
  }
}

async function* linesOf(
  source: Source,
  repository: Repository,
  digest: Digest,
  url: string,
): AsyncGenerator<string> {
  const manifest = await source.manifest(repository, digest);
  const { mediaType } = manifest.descriptor;
  yield `${url} (${mediaType})\n`;
  if (!isIndexType(mediaType)) {
    const { config, layers } = parseImageManifest(manifest.bytes);
    for (const blob of [...layers, config]) yield `  blob digest ${blob.digest}\n`;
    return;
  }
  for (const child of childrenFor(manifest)) {
    const there = await isThere(source, repository, child);
    if (there) yield* linesOf(source, repository, child, formatReference(repository, child));
  }
}

function childrenFor({ bytes }: Manifest): readonly Digest[] {
  const host = hostPlatform();
  return entriesOf(bytes)
    .filter(({ platform }) => platform === undefined || matchesPlatform(host, platform))
    .map(({ digest }) => digest);
}

/** An archive of one platform may have the index of all of them. */
async function isThere(source: Source, repository: Repository, digest: Digest): Promise<boolean> {
  try {
    await source.resolve(repository, digest);
    return true;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}

import type { Digest } from '../../../core/digest.ts';
import { isUnknown, RegistryError } from '../../../core/errors.ts';
import { isIndexType, parseImageManifest } from '../../../core/image-manifest.ts';
import type { Manifest } from '../../../core/manifest.ts';
import type { Repository } from '../../../core/reference.ts';
import { readPlace, type PlaceContents } from '../../../image/archive/open-place.ts';
import { isRunnable, leavesOf } from '../../../image/choose.ts';
import type { CopyEvent } from '../../../image/copy/event.ts';
import { push } from '../../../image/push.ts';
import { inOrder, shortOf } from './in-order.ts';
import { parseCrpy } from './reference.ts';
import { imageOf, session, type Command } from './session.ts';

/** What an archive without names is read as. */
const NAMELESS: Repository = { host: 'localhost', path: 'image' };

/** `crpy push FILE URL`: the last image of an archive, of crpy's own or another tool's. */
export async function crpyPush(command: Command): Promise<void> {
  const { values, context } = command;
  const target = parseCrpy(values.get('url') ?? '');
  const to = imageOf(target, 'Repository must be provided to push!');
  const say = (text: string): void => context.output.error(text);
  await using archive = await archiveOf(values.get('filename') ?? '');
  const { repository, manifest } = await lastImage(archive);
  say(`The push refers to repository [${target.shown}]\n`);
  await using client = await session(target, command);
  await using into = await client.client.write({ kind: 'registry', reference: to });
  const layers = parseImageManifest(manifest.bytes).layers.map(({ digest }) => digest);
  const at = manifest.descriptor.digest;
  const { images } = await push({
    into,
    images: [{ source: archive.source, repository, at, to }],
    signal: context.interruption.listen(),
    observe: pushed(inOrder(layers, say)),
  });
  say(`Pushed ${to.at}: digest: ${images[0]?.descriptor.digest ?? at}\n`);
}

async function archiveOf(file: string): Promise<PlaceContents> {
  try {
    return await readPlace({ kind: 'docker-archive', file });
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code === 'STORAGE_UNAVAILABLE') throw cause;
    throw new RegistryError('MANIFEST_INVALID', `Failed to load ${file}. Is an Docker image?`, {
      cause,
    });
  }
}

interface Image {
  readonly repository: Repository;
  readonly manifest: Manifest;
}

async function lastImage({ images, source }: PlaceContents): Promise<Image> {
  const last = images.at(-1);
  if (last === undefined) throw new RegistryError('MANIFEST_UNKNOWN', 'the archive has no image');
  const repository = last.names[0]?.repository ?? NAMELESS;
  const read = async (digest: Digest): Promise<Image> => {
    return { repository, manifest: await source.manifest(repository, digest) };
  };
  const named = await read(last.descriptor.digest);
  if (!isIndexType(named.manifest.descriptor.mediaType)) return named;
  // docker saves the index of all platforms with the content of one.
  for (const entry of (await leavesOf(source, repository, named.manifest)).filter(isRunnable)) {
    try {
      return await read(entry.digest);
    } catch (error) {
      if (!isUnknown(error)) throw error;
    }
  }
  throw new RegistryError('MANIFEST_UNKNOWN', 'the archive has an index and none of its images');
}

function pushed(done: ReturnType<typeof inOrder>): (event: CopyEvent) => void {
  return (event) => {
    if (event.type === 'blob-left-out') {
      done(event.descriptor.digest, `${shortOf(event.descriptor.digest)}: Left out\n`);
    }
    if (event.type !== 'blob-done') return;
    const { digest } = event.descriptor;
    const there = event.from === 'present' || event.from === 'mounted';
    done(digest, `${shortOf(digest)}: ${there ? 'Layer already exists' : 'Pushed'}\n`);
  };
}

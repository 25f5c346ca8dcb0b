import { isHosted } from '../../../src/core/hosted.ts';
import {
  formatReference,
  parsePath,
  parseTag,
  type Repository,
} from '../../../src/core/reference.ts';
import type { TagRecord } from '../../../src/store/tags.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import { file } from '../../fixtures/layer-builder.ts';
import { exported, keep, openWorld, tag, type World } from './world.ts';

/** What lives in a store of these. */
export const CONFIG = "hosted: ['team/**']";
export const V1 = parseTag('v1');

export function repository(host: string, name: string): Repository {
  return { host, path: parsePath(name) };
}

export function imageFor(repository: Repository, text: string): BuiltImage {
  return buildImage([[file('a', `${text} for ${repository.path}`)]], {
    repository,
    config: { text },
  });
}

/** Has the tag mean the image, by a push or as a mirror comes by it. */
export async function come(world: World, image: BuiltImage): Promise<void> {
  const { repository, manifest, config, layers } = image;
  if (!isHosted(repository)) {
    await keep(world.store, image, [manifest.descriptor, config, ...layers]);
    await tag(world.store, repository, V1, manifest.descriptor);
    return;
  }
  for (const { digest } of [config, ...layers]) {
    const { body } = await image.source.blob(repository, digest);
    await world.hosted.uploads.whole(repository, digest, { body });
  }
  const { bytes, descriptor } = manifest;
  await world.hosted.changes.putManifest(repository, {
    bytes,
    contentType: descriptor.mediaType,
    tags: [V1],
  });
}

export function recordOf({ store }: World, repository: Repository): Promise<TagRecord | undefined> {
  const { records, tags } = store;
  return isHosted(repository) ? records.tag(repository, V1) : tags.get(repository, V1);
}

/** An archive of an image for each of the repositories, and what else their tags may come to mean. */
export async function archiveFor(repositories: readonly Repository[]) {
  await using here = await openWorld({ config: CONFIG });
  const images = repositories.map((one) => imageFor(one, 'the archive'));
  for (const image of images) await come(here, image);
  const patterns = images.map((image) => nameOf(image));
  const { bytes } = await exported(here, patterns);
  return { bytes, images, others: repositories.map((one) => imageFor(one, 'somebody')) };
}

export function nameOf({ repository }: BuiltImage): string {
  return formatReference(repository, V1);
}

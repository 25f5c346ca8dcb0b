import { hexOf, type Digest } from '../../core/digest.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import { childrenOf, LARGEST_MANIFEST } from '../../core/manifest.ts';
import type { Listed } from '../opened.ts';
import { bytesOf, type Files } from './content.ts';
import { dockerImages } from './docker-archive.ts';
import type { DockerImage } from './docker-manifest.ts';
import { nameOf } from './images.ts';
import type { Held } from './oci-layout.ts';

/** The layout's images; those that its index has no names for get those of `manifest.json`. */
export async function dockerNames(files: Files, layout: Held): Promise<Held> {
  if (layout.images.every(({ names }) => names.length > 0)) return layout;
  const list = await dockerImages(files);
  if (list === undefined) return layout;
  const images: Listed[] = [];
  for (const image of layout.images) {
    images.push(image.names.length > 0 ? image : await named(layout, image, list));
  }
  return { ...layout, images };
}

async function named(layout: Held, image: Listed, list: readonly DockerImage[]): Promise<Listed> {
  const configs = await configsOf(layout, image.descriptor);
  const same = list.filter(({ config }) =>
    configs.some((digest) => config.includes(hexOf(digest))),
  );
  const names = same.flatMap((one) => one.names).flatMap((name) => nameOf(name) ?? []);
  return { descriptor: image.descriptor, names };
}

/** Of an image, or of each platform's that is there. */
async function configsOf(
  layout: Held,
  { digest, mediaType }: Pick<Listed['descriptor'], 'digest' | 'mediaType'>,
): Promise<readonly Digest[]> {
  const content = await layout.open(digest);
  if (content === undefined) return [];
  const bytes = await bytesOf(content, LARGEST_MANIFEST, digest);
  if (!isIndexType(mediaType)) return [parseImageManifest(bytes).config.digest];
  const children = childrenOf(bytes).filter((child) => !isIndexType(child.mediaType));
  return (await Promise.all(children.map((child) => configsOf(layout, child)))).flat();
}

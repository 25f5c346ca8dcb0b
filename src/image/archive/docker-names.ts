import { hexOf, type Digest } from '../../core/digest.ts';
import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import { childrenOf, LARGEST_MANIFEST } from '../../core/manifest.ts';
import type { Reference } from '../../core/reference.ts';
import { formatImageName } from '../location.ts';
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
  const taken = new Set(layout.images.flatMap(({ names }) => names).map(formatImageName));
  const images: Listed[] = [];
  for (const image of layout.images) {
    if (image.names.length > 0) images.push(image);
    else {
      const names = await namesIn(list, layout, image);
      // Two manifests may have one config: a name stays where the index has it.
      const free = names.filter((name) => !taken.has(formatImageName(name)));
      images.push({ descriptor: image.descriptor, names: free });
    }
  }
  return { ...layout, images };
}

async function namesIn(
  list: readonly DockerImage[],
  layout: Held,
  { descriptor }: Listed,
): Promise<readonly Reference[]> {
  const configs = await configsOf(layout, descriptor);
  return list
    .filter(({ config }) => configs.some((digest) => config.includes(hexOf(digest))))
    .flatMap(({ names }) => names.flatMap((name) => nameOf(name) ?? []));
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

import { algorithmOf, digestOf, type Digest } from '../../core/digest.ts';
import { isUnknown, RegistryError } from '../../core/errors.ts';
import { LARGEST_MANIFEST, manifestOf, type Manifest } from '../../core/manifest.ts';
import { atDigest, same, type Repository, type Tag } from '../../core/reference.ts';
import type { Source } from '../../core/source.ts';
import { Buffers } from '../../store/buffers.ts';
import type { Listed } from '../opened.ts';
import { blobOf, bytesOf, damaged, type Content } from './content.ts';
import { find } from './images.ts';
import { referrersAmong } from './referrers.ts';

export interface PlaceOptions {
  /** What people call it. */
  readonly place: string;
  readonly images: readonly Listed[];
  /** Content by digest; `undefined` for what is not there. */
  readonly open: (digest: Digest) => Promise<Content | undefined>;
  readonly buffers?: Buffers;
}

/**
 * A folder or an archive as a source. Content is found by its digest under any repository's name:
 * whoever can read the files may read all of them.
 */
export function placeSource(options: PlaceOptions): Source {
  const { place, images, open, buffers = new Buffers() } = options;

  const opened = async (digest: Digest): Promise<Content> => {
    const content = await open(digest);
    if (content !== undefined) return content;
    throw new RegistryError('BLOB_UNKNOWN', `${place} does not hold ${digest}`);
  };

  const manifest = async (repository: Repository, at: Tag | Digest): Promise<Manifest> => {
    const listed = find(images, repository, at);
    const digest = listed?.digest ?? (atDigest(at) ? at : undefined);
    const content = digest === undefined ? undefined : await open(digest);
    if (digest === undefined || content === undefined) {
      throw new RegistryError('MANIFEST_UNKNOWN', `${place} does not hold the manifest ${at}`);
    }
    const bytes = await bytesOf(content, LARGEST_MANIFEST, `${place}, manifest ${digest}`);
    if (digestOf(bytes, algorithmOf(digest)) !== digest) throw damaged(place, digest);
    return manifestOf(bytes, listed?.mediaType, algorithmOf(digest));
  };

  return {
    lies: 'here',
    manifest,
    async resolve(repository, at) {
      const { descriptor } = await manifest(repository, at);
      return { descriptor };
    },
    async stat(_repository, digest) {
      await using content = await opened(digest);
      return { size: content.size };
    },
    async blob(_repository, digest, range) {
      const content = await opened(digest);
      try {
        return blobOf(content, digest, place, buffers, range);
      } catch (error) {
        await content[Symbol.asyncDispose]();
        throw error;
      }
    },
    async tags(repository) {
      const names = images.flatMap((image) => image.names);
      const own = names.filter((name) => same(name.repository, repository));
      if (own.length === 0)
        throw new RegistryError('NAME_UNKNOWN', `${place} has no image of that name`);
      const tags = new Set(own.flatMap(({ at }) => (atDigest(at) ? [] : [at])));
      return { items: [...tags].toSorted() };
    },
    async referrers(repository, digest) {
      const read = async (at: Digest): Promise<Manifest | undefined> => {
        try {
          return await manifest(repository, at);
        } catch (error) {
          if (isUnknown(error)) return undefined;
          throw error;
        }
      };
      return { items: await referrersAmong(images, digest, read) };
    },
  };
}

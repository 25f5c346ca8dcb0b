import { stat } from 'node:fs/promises';
import { algorithmOf, digestOf, type Digest } from '../core/digest.ts';
import { RegistryError, systemCode } from '../core/errors.ts';
import { isHosted } from '../core/hosted.ts';
import { LARGEST_MANIFEST, manifestOf, type Manifest } from '../core/manifest.ts';
import {
  atDigest,
  formatReference,
  formatRepository,
  same,
  type Reference,
  type Repository,
  type Tag,
} from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import { Buffers } from '../store/buffers.ts';
import { repositories } from '../store/catalog.ts';
import { diskLinks, type Link } from '../store/links.ts';
import { Paths } from '../store/paths.ts';
import { Records } from '../store/records.ts';
import { diskReferrers } from '../store/referrers.ts';
import { diskTags } from '../store/tags.ts';
import { blobOf, bytesOf, damaged, type Content } from './archive/content.ts';
import { openFile } from './archive/folder-files.ts';
import type { Opened } from './opened.ts';

/**
 * An image in a mirror's store on this disk, whether a mirror serves it at the moment or not. Nothing
 * there is changed or locked.
 * @throws RegistryError NAME_UNKNOWN if the folder is no store
 */
export async function openStore(folder: string, { repository, at }: Reference): Promise<Opened> {
  const paths = await storePaths(folder);
  return { source: storeSource(paths), repository, at, [Symbol.asyncDispose]: async () => {} };
}

/**
 * Every repository of which a store keeps something.
 * @throws RegistryError NAME_UNKNOWN if the folder is no store
 */
export async function storedRepositories(folder: string): Promise<readonly Repository[]> {
  return repositories(await storePaths(folder));
}

/** Where things are in the store. @throws RegistryError NAME_UNKNOWN if the folder is no store */
export async function storePaths(folder: string): Promise<Paths> {
  const paths = new Paths(folder);
  if (await isFolder(paths.blobs)) return paths;
  throw new RegistryError('NAME_UNKNOWN', `${folder} is no store of a mirror: it has no blobs`);
}

/**
 * A store as a source. What a mirror would serve from it is here, as it was last seen: a tag that is
 * gone upstream too. Content that is not what its digest says is an error, and stays where it is.
 */
export function storeSource(paths: Paths): Source {
  const [tags, links, referrers] = [diskTags(paths), diskLinks(paths), diskReferrers(paths)];
  const records = new Records(paths);
  const buffers = new Buffers();

  const opened = async (repository: Repository, digest: Digest): Promise<Content | undefined> => {
    const content = await openFile(paths.blob(digest));
    if (content === undefined) return undefined;
    try {
      check(paths, digest, content, await links.get(repository, digest));
      return content;
    } catch (error) {
      await content[Symbol.asyncDispose]();
      throw error;
    }
  };

  const blob = async (repository: Repository, digest: Digest): Promise<Content> => {
    const content = await opened(repository, digest);
    if (content !== undefined) return content;
    throw new RegistryError('BLOB_UNKNOWN', `${paths.root} does not hold ${digest}`);
  };

  const manifest = async (repository: Repository, at: Tag | Digest): Promise<Manifest> => {
    const record = atDigest(at) ? undefined : await tags.get(repository, at);
    const digest = atDigest(at) ? at : record?.descriptor.digest;
    const content = digest === undefined ? undefined : await opened(repository, digest);
    if (digest === undefined || content === undefined) throw await unknown(paths, repository, at);
    const bytes = await bytesOf(content, LARGEST_MANIFEST, `${paths.root}, manifest ${digest}`);
    if (digestOf(bytes, algorithmOf(digest)) !== digest) throw damaged(paths.root, digest);
    const type = record?.descriptor.mediaType ?? (await links.get(repository, digest))?.mediaType;
    return manifestOf(bytes, type, algorithmOf(digest));
  };

  return {
    lies: 'here',
    manifest,
    async resolve(repository, at) {
      const { descriptor } = await manifest(repository, at);
      return { descriptor };
    },
    async stat(repository, digest) {
      await using content = await blob(repository, digest);
      return { size: content.size };
    },
    async blob(repository, digest, range) {
      const content = await blob(repository, digest);
      try {
        return blobOf(content, digest, paths.root, buffers, range);
      } catch (error) {
        await content[Symbol.asyncDispose]();
        throw error;
      }
    },
    async tags(repository) {
      const items = await tags.list(repository);
      if (items.length > 0 || (await isKnown(paths, repository))) return { items };
      throw await unknown(paths, repository);
    },
    async referrers(repository, digest) {
      if (isHosted(repository)) return { items: await records.referrers(repository, digest) };
      return { items: (await referrers.get(repository, digest))?.items ?? [] };
    },
  };
}

/** A mirror notices by the link that content has the wrong size; so do we, without setting it aside. */
function check(paths: Paths, digest: Digest, { size }: Content, link: Link | undefined): void {
  if (link !== undefined && link.size !== size) throw damaged(paths.root, digest);
}

async function isKnown(paths: Paths, repository: Repository): Promise<boolean> {
  const stored = await repositories(paths, repository.host);
  return stored.some((one) => same(one, repository));
}

/** Says what is missing, and for a repository that is not there which ones are. */
async function unknown(
  paths: Paths,
  repository: Repository,
  at?: Tag | Digest,
): Promise<RegistryError> {
  if (at !== undefined && (await isKnown(paths, repository))) {
    const name = formatReference(repository, at);
    return new RegistryError('MANIFEST_UNKNOWN', `${paths.root} does not hold ${name}`);
  }
  const stored = (await repositories(paths)).map((one) => formatRepository(one));
  const some = stored.slice(0, 10).join(', ') + (stored.length > 10 ? ', …' : '');
  return new RegistryError(
    'NAME_UNKNOWN',
    `${paths.root} holds nothing of ${formatRepository(repository)}; there is: ${some || 'nothing'}`,
  );
}

async function isFolder(name: string): Promise<boolean> {
  try {
    return (await stat(name)).isDirectory();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw new RegistryError('STORAGE_UNAVAILABLE', `cannot read ${name}: ${String(error)}`, {
      cause: error,
    });
  }
}

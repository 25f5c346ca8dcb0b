import type { Digest } from '../core/digest.ts';
import { RegistryError, type ErrorCode } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import { atDigest, type Repository, type Tag } from '../core/reference.ts';
import { rewrap } from '../core/rewrap.ts';
import type { Blob, BlobStat, Source } from '../core/source.ts';
import type { Link } from '../store/links.ts';
import type { Manifests } from './manifests.ts';
import type { Parts } from './parts.ts';
import { isBlob } from './references.ts';

export interface ReadingOptions extends Parts {
  readonly manifests: Manifests;
  /**
   * Milliseconds within which one more sign that content is needed is not worth a write; well below
   * any time after which it is collected.
   */
  readonly usedEvery: () => number;
}

const HIT = { result: 'hit' } as const;

/** Reads what lives here. Asking for a blob or a manifest by digest keeps a collection away from it. */
export function reading(options: ReadingOptions): Source {
  const { records, content, manifests, locks, watch, now, dated, usedEvery } = options;

  /** The link, once it is certain that it will stay for a while. */
  const used = async (repository: Repository, digest: Digest): Promise<Link | undefined> => {
    for (;;) {
      const { removals } = watch;
      const link = await records.link(repository, digest);
      const usedAt = link && (await records.usedAt(repository, digest));
      if (usedAt === undefined && removals === watch.removals) return undefined;
      if (usedAt !== undefined && dated.now() - dated.of(usedAt) >= usedEvery()) {
        await records.use(repository, digest, now());
      }
      const condemned = watch.condemned(repository, digest);
      if (!condemned && removals === watch.removals) return link;
      // A collection may have looked before, and removes it now: its lock tells when it is through.
      if (condemned) await locks.digest(digest, async () => {});
    }
  };

  const unknown = async (repository: Repository, code: ErrorCode): Promise<RegistryError> =>
    new RegistryError((await records.tags(repository)) === undefined ? 'NAME_UNKNOWN' : code);

  const byDigest = async (repository: Repository, digest: Digest): Promise<Manifest> => {
    const link = await used(repository, digest);
    const found = link && (await manifests.get(repository, digest));
    if (found === undefined) throw await unknown(repository, 'MANIFEST_UNKNOWN');
    return { ...found, served: HIT };
  };

  const byTag = async (repository: Repository, tag: Tag): Promise<Manifest> => {
    for (let missed: Digest | undefined; ;) {
      const digest = (await records.tag(repository, tag))?.descriptor.digest;
      const found = digest && (await manifests.get(repository, digest));
      if (found) return { ...found, served: HIT };
      // The tag may have moved, and what it meant been deleted, between the two looks.
      if (digest === missed) throw await unknown(repository, 'MANIFEST_UNKNOWN');
      missed = digest;
    }
  };

  const manifest = (repository: Repository, at: Tag | Digest): Promise<Manifest> =>
    atDigest(at) ? byDigest(repository, at) : byTag(repository, at);

  return {
    manifest,
    async resolve(repository, at) {
      const { descriptor } = await manifest(repository, at);
      return { descriptor, served: HIT };
    },
    async stat(repository, digest): Promise<BlobStat> {
      const link = await used(repository, digest);
      // What came as a manifest alone is no blob of the repository.
      const here = link !== undefined && isBlob(link);
      if (!here || (await content.size(digest)) !== link.size) {
        throw await unknown(repository, 'BLOB_UNKNOWN');
      }
      return { size: link.size, served: HIT };
    },
    async blob(repository, digest, range): Promise<Blob> {
      const link = await records.link(repository, digest);
      const here = link !== undefined && isBlob(link);
      const blob = here ? await content.open(digest, { range, size: link.size }) : undefined;
      if (blob === undefined) throw await unknown(repository, 'BLOB_UNKNOWN');
      return rewrap(blob, { served: HIT });
    },
    async tags(repository) {
      const items = await records.tags(repository);
      if (items === undefined) throw new RegistryError('NAME_UNKNOWN');
      return { items, served: HIT };
    },
    async referrers(repository, digest) {
      return { items: await records.referrers(repository, digest), served: HIT };
    },
  };
}

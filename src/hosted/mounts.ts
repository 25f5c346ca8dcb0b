import type { Digest } from '../core/digest.ts';
import { isHosted } from '../core/hosted.ts';
import { same, type Repository } from '../core/reference.ts';
import { repositories } from '../store/catalog.ts';
import type { Link, LinkStore } from '../store/links.ts';
import type { Mounts } from './hosted.ts';
import { linkBlob } from './link-blob.ts';
import { onDisk } from '../store/on-disk.ts';
import type { Parts } from './parts.ts';
import { isBlob } from './references.ts';

export interface MountsOptions extends Parts {
  /** What mirrored repositories are known to hold. */
  readonly mirrored: LinkStore;
  /** Whether blobs may be mounted from the repository; left out: from those that live here. */
  readonly mountable?: (repository: Repository) => Promise<boolean>;
}

/** Mounts need no bytes, only that some repository that may be read has the blob. */
export class DiskMounts implements Mounts {
  readonly #options: MountsOptions;

  constructor(options: MountsOptions) {
    this.#options = options;
  }

  async mount(
    repository: Repository,
    digest: Digest,
    from?: Repository,
  ): Promise<{ readonly digest: Digest; readonly size: number } | undefined> {
    const { content, locks, records } = this.#options;
    return onDisk(async () => {
      if ((await content.size(digest)) === undefined) return undefined;
      const source = from ?? (await this.#anywhere(repository, digest));
      if (source === undefined) return undefined;
      if (!same(source, repository) && !(await this.#mayBe(source))) return undefined;
      return locks.digest(digest, async () => {
        const link = same(source, repository)
          ? await records.link(repository, digest)
          : await this.#link(source, digest);
        // Looked at again, now that nobody can take it away.
        if (link === undefined || !isBlob(link)) return undefined;
        if ((await content.size(digest)) !== link.size) return undefined;
        await linkBlob(this.#options, repository, digest, link.size);
        return { digest, size: link.size };
      });
    });
  }

  async #mayBe(source: Repository): Promise<boolean> {
    const { mountable } = this.#options;
    return mountable === undefined ? isHosted(source) : mountable(source);
  }

  #link(repository: Repository, digest: Digest): Promise<Link | undefined> {
    const { records, mirrored } = this.#options;
    return isHosted(repository)
      ? records.link(repository, digest)
      : mirrored.get(repository, digest);
  }

  async #anywhere(repository: Repository, digest: Digest): Promise<Repository | undefined> {
    const { records } = this.#options;
    const here = await records.link(repository, digest);
    if (here !== undefined && isBlob(here)) return repository;
    for (const one of await repositories(records.paths)) {
      const link = await this.#link(one, digest);
      if (link !== undefined && isBlob(link) && (await this.#mayBe(one))) return one;
    }
    return undefined;
  }
}

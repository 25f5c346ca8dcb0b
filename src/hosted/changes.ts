import { randomUUID } from 'node:crypto';
import { algorithmOf, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Repository, Tag } from '../core/reference.ts';
import type { Change } from '../store/journal.ts';
import type { Changes, ManifestPlaced, ManifestPut } from './hosted.ts';
import type { Manifests } from './manifests.ts';
import { onDisk } from '../store/on-disk.ts';
import type { Parts } from './parts.ts';
import { placing } from './placing.ts';
import { parsePushed } from './pushed.ts';
import {
  checkReferences,
  isBlob,
  referencesOf,
  type References,
  type Sparse,
} from './references.ts';
import { subjectsOf } from './subjects.ts';

/** Whether something was added to a repository, or taken away, which may have been the last there was. */
export type Changed = 'pushed' | 'deleted';

export interface ChangesOptions extends Parts {
  readonly manifests: Manifests;
  readonly rules: () => { readonly sparse: Sparse };
  /** A tag of the repository means something else, or nothing any more. */
  readonly onTags?: (repository: Repository, how: Changed) => void;
}

/** Writes to repositories that live here; each is all or nothing, across a crash as well. */
export class DiskChanges implements Changes {
  readonly #options: ChangesOptions;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  async putManifest(repository: Repository, put: ManifestPut): Promise<ManifestPlaced> {
    const pushed = parsePushed(put);
    const { descriptor, subject } = pushed;
    const { digest } = descriptor;
    const { locks, rules, watch } = this.#options;
    await locks.repository(repository, () =>
      onDisk(async () => {
        await checkReferences(this.#options, repository, pushed, rules().sparse);
        await locks.digest(digest, async () => {
          watch.linking(digest);
          await this.#store(digest, put.bytes);
          await this.#change(
            repository,
            await placing(this.#options, repository, pushed, put.tags),
          );
        });
      }),
    );
    const { mediaType, size } = descriptor;
    return {
      descriptor: { mediaType, digest, size },
      ...(subject !== undefined && { subject: subject.digest }),
    };
  }

  async deleteTag(repository: Repository, tag: Tag): Promise<void> {
    const { locks, records, now } = this.#options;
    await locks.repository(repository, () =>
      onDisk(async () => {
        const record = await records.tag(repository, tag);
        if (record === undefined) throw await this.#unknown(repository, 'MANIFEST_UNKNOWN');
        await records.use(repository, record.descriptor.digest, now());
        await this.#change(repository, [this.#noTag(repository, tag)]);
      }),
    );
  }

  async deleteManifest(repository: Repository, digest: Digest): Promise<void> {
    const { locks, records, rules } = this.#options;
    await locks.repository(repository, () =>
      onDisk(async () => {
        const link = await records.link(repository, digest);
        if (link?.mediaType === undefined) {
          throw await this.#unknown(repository, 'MANIFEST_UNKNOWN');
        }
        if (rules().sparse === 'none') {
          await this.#unneeded(repository, digest, ({ children }) => children);
        }
        const tags = await this.#tagsOf(repository, digest);
        await locks.digest(digest, async () => {
          // Looked at anew: the same bytes may have come as a blob since, which needs only this lock.
          const held = await records.link(repository, digest);
          await this.#change(repository, [
            ...tags.map((tag) => this.#noTag(repository, tag)),
            ...(await this.#noReferrer(repository, digest)),
            {
              name: records.paths.link(repository, digest),
              text:
                held !== undefined && isBlob(held)
                  ? JSON.stringify({ size: held.size })
                  : undefined,
            },
          ]);
        });
      }),
    );
  }

  async deleteBlob(repository: Repository, digest: Digest): Promise<void> {
    const { locks, records } = this.#options;
    await locks.repository(repository, () =>
      onDisk(async () => {
        const link = await records.link(repository, digest);
        if (link === undefined || !isBlob(link)) {
          throw await this.#unknown(repository, 'BLOB_UNKNOWN');
        }
        await this.#unneeded(repository, digest, ({ blobs, children }) => [...blobs, ...children]);
        const { size, mediaType } = link;
        const text = mediaType === undefined ? undefined : JSON.stringify({ size, mediaType });
        await locks.digest(digest, () =>
          this.#change(repository, [{ name: records.paths.link(repository, digest), text }]),
        );
      }),
    );
  }

  /** In place of what is there under that digest, which may be damaged. */
  async #store(digest: Digest, bytes: Uint8Array): Promise<void> {
    const { uploads } = this.#options;
    const name = `${randomUUID()}.manifest`;
    await using file = await uploads.create(name);
    try {
      await file.hash(algorithmOf(digest));
      await file.write(bytes);
      await file.flush();
      await uploads.publish(file, digest);
    } catch (error) {
      await uploads.remove(name);
      throw error;
    }
  }

  #noTag(repository: Repository, tag: Tag): Change {
    return { name: this.#options.records.paths.tag(repository, tag), text: undefined };
  }

  async #noReferrer(repository: Repository, digest: Digest): Promise<readonly Change[]> {
    const { records } = this.#options;
    const subjects = await subjectsOf(this.#options, repository, digest);
    return subjects.map((subject) => ({
      name: records.paths.referrer(repository, subject, digest),
      text: undefined,
    }));
  }

  async #change(repository: Repository, changes: readonly Change[]): Promise<void> {
    const { records, watch, onTags } = this.#options;
    try {
      await records.change(changes);
    } finally {
      // Only now: who looked before has to look again.
      watch.changed(repository);
    }
    const deleted = changes.some(({ text }) => text === undefined);
    onTags?.(repository, deleted ? 'deleted' : 'pushed');
  }

  async #tagsOf(repository: Repository, digest: Digest): Promise<readonly Tag[]> {
    const { records } = this.#options;
    const found: Tag[] = [];
    for (const tag of (await records.tags(repository)) ?? []) {
      const record = await records.tag(repository, tag);
      if (record?.descriptor.digest === digest) found.push(tag);
    }
    return found;
  }

  /** @throws RegistryError DENIED where a manifest of the repository lists the digest as such a part */
  async #unneeded(
    repository: Repository,
    digest: Digest,
    partsOf: (references: References) => readonly Digest[],
  ): Promise<void> {
    const { manifests, records } = this.#options;
    for await (const other of records.links(repository)) {
      const manifest = await manifests.get(repository, other);
      if (manifest === undefined || !partsOf(referencesOf(manifest)).includes(digest)) continue;
      const message = `the manifest ${other} of this repository lists it: delete that first`;
      // The specification has no 403 for a deletion, but 405 where there is none to be had.
      throw new RegistryError('DENIED', message, { status: 405, detail: { neededBy: other } });
    }
  }

  async #unknown(
    repository: Repository,
    code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN',
  ): Promise<RegistryError> {
    const tags = await this.#options.records.tags(repository);
    return new RegistryError(tags === undefined ? 'NAME_UNKNOWN' : code);
  }
}

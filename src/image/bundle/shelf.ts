import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { Manifest } from '../../core/manifest.ts';
import type { Reference, Repository, Tag } from '../../core/reference.ts';
import type { Room } from '../../store/budget/room.ts';
import type { Uses } from '../../store/budget/uses.ts';
import type { Change } from '../../store/journal.ts';
import type { LinkStore } from '../../store/links.ts';
import type { Paths } from '../../store/paths.ts';
import type { ReferrersStore } from '../../store/referrers.ts';
import type { IntakeStore } from '../../store/store.ts';
import type { TagStore } from '../../store/tags.ts';
import type { UploadStore } from '../../store/uploads.ts';

/** An open store that images are imported into, and whoever serves it. */
export interface Shelf {
  readonly paths: Paths;
  readonly content: IntakeStore;
  readonly uploads: UploadStore;
  readonly links: LinkStore;
  readonly tags: TagStore;
  readonly referrers: ReferrersStore;
  readonly uses: Uses;
  readonly room: ShelfRoom;
  /** Has the manifest stay with all it lists; taken back by `dropped`. */
  keep(repository: Repository, digest: Digest, state: 'kept' | 'dropped'): void;
  /** Settles when what was kept has been followed to all its parts. */
  settled(): Promise<void>;
  /** Removes content that nothing leads to; anything else stays. */
  discard(digest: Digest): Promise<void>;
  /** Lists of referrers have changed: what is remembered of them is out of date. */
  renew(repository: Repository, subject: Digest): void;
  /**
   * Where an image of that name belongs. `anywhere`: it may live here, where the name would be short
   * for one of Docker Hub's elsewhere.
   * @throws RegistryError NAME_UNKNOWN, naming the key of the configuration
   */
  place(name: Reference, lives: 'hosted' | 'mirrored' | 'anywhere'): Repository;
  /** The repositories that live here. */
  readonly hosted: HostedShelf;
}

export interface ShelfRoom extends Room {
  /** Why so many bytes could not be stored whatever else went. */
  refusal(bytes: number): Promise<string | undefined>;
}

export interface HostedShelf {
  /** Whether an index may lack some of what it lists. */
  readonly sparse: () => 'none' | 'indexes' | 'all';
  tag(repository: Repository, tag: Tag): Promise<Descriptor | undefined>;
  /**
   * Has repositories hold what is stored: manifests whose parts are there or among it, and blobs. The
   * task runs while nobody else changes any of them; nothing is changed before it calls `commit`.
   * @throws RegistryError as a push does, the task not having run; or what the task throws
   */
  place<T>(content: PushedContent, task: (commit: Commit) => Promise<T>): Promise<T>;
}

export interface PushedContent {
  readonly blobs: readonly { readonly repository: Repository; readonly descriptor: Descriptor }[];
  readonly manifests: readonly { readonly repository: Repository; readonly manifest: Manifest }[];
  /** Repositories that are mirrored and change with it: whoever names the same ones waits. */
  readonly beside: readonly Repository[];
}

/** A tag that means one of the manifests from now on. */
export interface PushedTag {
  readonly repository: Repository;
  readonly tag: Tag;
  readonly digest: Digest;
}

/** All of it, with `more` changes to small files, or nothing; settles when the disk has it. */
export type Commit = (tags: readonly PushedTag[], more: readonly Change[]) => Promise<void>;

import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { Manifest, Resolution } from '../../core/manifest.ts';
import type { Repository, Tag } from '../../core/reference.ts';
import type { Blob, Listing } from '../../core/source.ts';

export interface Brought {
  /** `held`: it was here. */
  readonly how: 'held' | 'fetched';
  /** What had to come for it. */
  readonly bytes: number;
}

export interface BringOptions {
  readonly signal: AbortSignal;
  /** Told now and then how many bytes are here. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * What is filled. Of a dry run it only looks: then nothing that it does is seen afterwards. Everything
 * throws RegistryError: what is not there, what found no room, what kept the upstream from answering.
 */
export interface Stock {
  /** Where the name of a registry leads. @throws RegistryError NAME_UNKNOWN for one that is not configured */
  route(repository: Repository): Repository;
  resolve(repository: Repository, tag: Tag): Promise<Resolution>;
  tags(repository: Repository): Promise<Listing<Tag>>;
  referrers(repository: Repository, digest: Digest): Promise<Listing<Descriptor>>;
  /** Stored when this settles. */
  manifest(repository: Repository, digest: Digest): Promise<Manifest>;
  /** What the tag means now, stored, with the tag. */
  tag(repository: Repository, tag: Tag): Promise<Manifest>;
  /** Stored when this settles. */
  bring(repository: Repository, blob: Descriptor, options: BringOptions): Promise<Brought>;
  /** To be read: a configuration, where the platform is not said elsewhere. */
  blob(repository: Repository, digest: Digest): Promise<Blob>;
  /** Has everything leave that may not stay. */
  settle(): Promise<void>;
  /** Whether it is still here. */
  has(repository: Repository, digest: Digest): Promise<boolean>;
  /** The settings that bound how much is kept of what the repository's registry has. */
  limits(repository: Repository): readonly string[];
}

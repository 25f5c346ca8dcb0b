import type { Digest } from '../core/digest.ts';
import { isUnknown } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import { atDigest, type Repository, type Tag } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { LinkStore } from '../store/links.ts';
import type { ReferrersStore } from '../store/referrers.ts';
import type { ContentStore } from '../store/store.ts';
import type { TagStore } from '../store/tags.ts';
import { Background } from './background.ts';
import { Blobs } from './blobs.ts';
import { Downloads, type DownloadPolicy } from './downloads.ts';
import type { MirrorEvent } from './event.ts';
import { Freshness } from './freshness.ts';
import { Heard } from './heard.ts';
import { Keeping } from './keeping.ts';
import { lastingLinks } from './lasting-links.ts';
import { Listings } from './listings.ts';
import { Manifests } from './manifests.ts';
import type { TagPolicy } from './policy.ts';

export interface MirrorOptions {
  /** The upstream of a configured host. */
  readonly upstream: (host: string) => Source;
  readonly store: ContentStore;
  readonly links: LinkStore;
  readonly tags: TagStore;
  readonly referrers: ReferrersStore;
  readonly policy: (host: string) => TagPolicy;
  /** What a download that begins is to do, asked each time. */
  readonly downloads: () => DownloadPolicy;
  readonly observe?: (event: MirrorEvent) => void;
  /** Told of everything that was asked for and is here. */
  readonly touch?: (digest: Digest) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A source that remembers: fetches what it lacks once and gives it to everybody from then on. */
export interface Mirror extends Source {
  /** Lets running downloads finish for so many milliseconds, stops the rest, and settles all writes. */
  close(milliseconds: number): Promise<void>;
  /** Settles once everything that is under way now is over: downloads, and what is written down behind answers. */
  passed(): Promise<void>;
  /** What refers to something was written down by another way: it is read again. */
  renew(repository: Repository, subject: Digest): void;
  /** What upstreams have refused or failed to say is asked again: they may be others by now. */
  reconsider(): void;
  /** Content is here no more, and not to be served from memory either. */
  forget(digest: Digest): void;
  /** Has content stored that nobody asks for at the moment. */
  readonly keeping: Keeping;
}

export function mirror(options: MirrorOptions): Mirror {
  const { observe = () => {}, now = Date.now } = options;
  const onError = (error: Error): void =>
    observe({ type: 'storage-error', operation: 'record', error });
  const background = new Background(onError);
  const fills = new Background(onError);
  const links = lastingLinks({ links: options.links });
  const { downloads: begin } = options;
  const shared = { ...options, links, observe, now, background };

  const heard = new Heard(shared);
  const manifests = new Manifests({
    ...shared,
    onKept: (repository, descriptor) => heard.kept(repository, descriptor),
  });
  const freshness = new Freshness({ ...shared, heard, manifests });
  const downloads = new Downloads({ ...shared, begin, background: fills });
  const blobs = new Blobs({ ...shared, downloads, retries: () => begin().retries });
  const listings = new Listings(shared);
  const byTag = (repository: Repository, tag: Tag) =>
    manifestByTag(repository, tag, manifests, freshness);

  return {
    keeping: new Keeping({ ...shared, manifests, freshness, blobs, downloads, byTag }),
    resolve: (repository, at) =>
      atDigest(at) ? manifests.resolve(repository, at) : freshness.resolve(repository, at),
    manifest: (repository, at) =>
      atDigest(at) ? manifests.get(repository, at) : byTag(repository, at),
    stat: (repository, digest) => blobs.stat(repository, digest),
    blob: (repository, digest, range) => blobs.blob(repository, digest, range),
    tags: (repository) => listings.tags(repository),
    referrers: (repository, digest) => listings.referrers(repository, digest),
    renew: (repository, subject) => listings.renew(repository, subject),
    forget: (digest) => manifests.forget(digest),
    reconsider() {
      for (const part of [manifests, freshness, blobs, listings]) part.reconsider();
    },
    passed: async () => void (await Promise.all([fills.passed(), background.passed()])),
    async close(milliseconds) {
      await downloads.close(milliseconds);
      await background.settle();
      await heard.close();
      await links.close();
    },
  };
}

async function manifestByTag(
  repository: Repository,
  tag: Tag,
  manifests: Manifests,
  freshness: Freshness,
): Promise<Manifest> {
  const { descriptor, served } = await freshness.resolve(repository, tag);
  let manifest: Manifest;
  try {
    manifest = await manifests.get(repository, descriptor.digest);
  } catch (error) {
    const earlier = await freshness.earlier(repository, tag, descriptor, error);
    const held = earlier && (await manifests.held(repository, earlier.descriptor.digest));
    if (held !== undefined) return { ...held, ...(earlier?.served && { served: earlier.served }) };
    if (!isUnknown(error)) throw error;
    manifest = await manifests.byTag(repository, tag);
    await freshness.told(repository, tag, manifest.descriptor);
  }
  // The tag tells the story, unless the manifest behind it had to be fetched all the same.
  const asked = served?.result === 'miss' || served?.result === 'joined';
  if (!asked && manifest.served?.result !== 'hit') return manifest;
  if (served === undefined) return manifest;
  const { descriptor: told, bytes } = manifest;
  const stored = asked && manifest.served?.stored === true;
  return { descriptor: told, bytes, served: stored ? { ...served, stored } : served };
}

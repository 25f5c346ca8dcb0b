import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../core/descriptor.ts';
import { algorithmOf, digestOf, type Digest } from '../core/digest.ts';
import { isUnknown } from '../core/errors.ts';
import { manifestOf, LARGEST_MANIFEST, type Manifest, type Resolution } from '../core/manifest.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import type { Served } from '../core/served.ts';
import { SingleFlight } from '../core/single-flight.ts';
import type { Source } from '../core/source.ts';
import { wholeOf } from '../core/whole.ts';
import type { Link, LinkStore } from '../store/links.ts';
import type { ContentStore } from '../store/store.ts';
import type { Background } from './background.ts';
import { Negative } from './negative.ts';
import type { TagPolicy } from './policy.ts';

export interface ManifestsOptions {
  readonly upstream: (host: string) => Source;
  readonly store: ContentStore;
  readonly links: LinkStore;
  readonly policy: (host: string) => TagPolicy;
  readonly background: Background;
  /** Told of what is stored now, and known to be in the repository. */
  readonly onKept: (repository: Repository, descriptor: Descriptor) => Promise<void>;
  /** Told of everything that was asked for and is here. */
  readonly touch?: (digest: Digest) => void;
}

const HIT: Served = { result: 'hit' };

/** Bytes of manifests kept in memory. */
const REMEMBERED = 32 * 1024 * 1024;

/** Manifests remembered as not kept, and the milliseconds after which keeping one is tried again. */
const UNKEPT = 10_000;
const KEPT_AGAIN = 2_000;

/** Manifests by digest, which never change: from memory, the store, or once from the upstream. */
export class Manifests {
  readonly #options: ManifestsOptions;
  readonly #memory = new LRUCache<Digest, Manifest>({
    maxSize: REMEMBERED,
    sizeCalculation: ({ bytes }) => bytes.length + 500,
  });
  readonly #fetches = new SingleFlight<Manifest>();
  readonly #resolving = new SingleFlight<Resolution>();
  readonly #writes = new SingleFlight<boolean>();
  readonly #negative = new Negative();
  /** When they could not be kept, by reference: from memory they are served all the same. */
  readonly #unkept = new LRUCache<string, number>({ max: UNKEPT });

  constructor(options: ManifestsOptions) {
    this.#options = options;
  }

  /** What is here and may be served to the repository, without asking anybody. */
  async held(repository: Repository, digest: Digest): Promise<Manifest | undefined> {
    const link = await this.#options.links.get(repository, digest);
    // Without a type it was linked as a blob: an image's configuration would pass for a manifest.
    return link?.mediaType === undefined ? undefined : this.#load(digest, link);
  }

  /** Whether it is held, and not in memory alone. */
  async kept(repository: Repository, digest: Digest): Promise<boolean> {
    if ((await this.held(repository, digest)) === undefined) return false;
    return (await this.#options.store.size(digest)) !== undefined;
  }

  /** @throws RegistryError MANIFEST_UNKNOWN, or whatever kept the upstream from answering */
  async get(repository: Repository, digest: Digest): Promise<Manifest> {
    const held = await this.held(repository, digest);
    if (held !== undefined) {
      if (this.#unkept.size > 0) this.#keepAgain(repository, held);
      return { descriptor: held.descriptor, bytes: held.bytes, served: HIT };
    }
    const key = formatReference(repository, digest);
    this.#negative.check(key);
    const joined = this.#fetches.has(key);
    try {
      const manifest = await this.#fetches.run(key, () => this.#obtain(repository, digest));
      return joined ? { ...manifest, served: { result: 'joined' } } : manifest;
    } catch (error) {
      this.#negative.note(key, error, this.#options.policy(repository.host).notFoundFor);
      throw error;
    }
  }

  /** The same without the bytes, and without fetching them. */
  async resolve(repository: Repository, digest: Digest): Promise<Resolution> {
    const held = await this.held(repository, digest);
    if (held !== undefined) return { descriptor: held.descriptor, served: { result: 'hit' } };
    const key = formatReference(repository, digest);
    this.#negative.check(key);
    const { upstream, policy } = this.#options;
    try {
      return await this.#resolving.run(key, async () => {
        const { descriptor } = await upstream(repository.host).resolve(repository, digest);
        return { descriptor, served: { result: 'miss' } };
      });
    } catch (error) {
      this.#negative.note(key, error, policy(repository.host).notFoundFor);
      throw error;
    }
  }

  /** What upstreams have said not to be there is asked again: they may be others by now. */
  reconsider(): void {
    this.#negative.clear();
  }

  /** It is to be here no more: whoever asks for it next has it fetched. */
  forget(digest: Digest): void {
    this.#memory.delete(digest);
  }

  /** What the upstream has just said that the tag means. */
  async stated(repository: Repository, tag: Tag, digest: Digest): Promise<Manifest> {
    try {
      return await this.get(repository, digest);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      return this.byTag(repository, tag);
    }
  }

  /** By tag, for an upstream that does not find by digest what it has just named. */
  byTag(repository: Repository, tag: Tag): Promise<Manifest> {
    return this.#fetch(repository, tag);
  }

  async #obtain(repository: Repository, digest: Digest): Promise<Manifest> {
    const { upstream, store, links, background, onKept } = this.#options;
    if ((await store.size(digest)) === undefined) return this.#fetch(repository, digest);
    // Another repository brought it; only the upstream can say whether this one has it, too.
    const { descriptor } = await upstream(repository.host).resolve(repository, digest);
    const link = { size: descriptor.size, mediaType: descriptor.mediaType };
    const manifest = await this.#load(digest, link);
    if (manifest === undefined) return this.#fetch(repository, digest);
    background.run(async () => {
      await links.set(repository, digest, linkOf(manifest));
      await onKept(repository, manifest.descriptor);
    });
    return { ...manifest, served: { result: 'revalidated' } };
  }

  async #fetch(repository: Repository, at: Tag | Digest): Promise<Manifest> {
    const fetched = await this.#options.upstream(repository.host).manifest(repository, at);
    // How the upstream, which may be a mirror itself, came by it is not how this one did.
    const manifest: Manifest = { descriptor: fetched.descriptor, bytes: fetched.bytes };
    const { digest } = manifest.descriptor;
    this.#memory.set(digest, manifest);
    this.#options.background.run(() => this.#keep(repository, manifest));
    return { ...manifest, served: { result: 'miss', stored: true } };
  }

  /** There may be room by now for what could not be kept before. */
  #keepAgain(repository: Repository, manifest: Manifest): void {
    const key = formatReference(repository, manifest.descriptor.digest);
    const failedAt = this.#unkept.get(key);
    if (failedAt === undefined || performance.now() - failedAt < KEPT_AGAIN) return;
    this.#unkept.set(key, performance.now());
    this.#options.background.run(() => this.#keep(repository, manifest));
  }

  /** Whether it is stored now, which it may have been before. */
  async keep(repository: Repository, manifest: Manifest): Promise<boolean> {
    const { digest } = manifest.descriptor;
    const key = formatReference(repository, digest);
    this.#unkept.set(key, performance.now());
    // The link is remembered at once: whoever asks next finds it, with the bytes still in memory.
    await this.#options.links.set(repository, digest, linkOf(manifest));
    const stored = await this.#writes.run(digest, () => this.#write(manifest));
    if (stored) {
      this.#unkept.delete(key);
      await this.#options.onKept(repository, manifest.descriptor);
    }
    return stored;
  }

  async #keep(repository: Repository, manifest: Manifest): Promise<void> {
    await this.keep(repository, manifest);
  }

  /** Whether it is stored; the store itself tells why it is not. */
  async #write({ descriptor, bytes }: Manifest): Promise<boolean> {
    if ((await this.#options.store.size(descriptor.digest)) === descriptor.size) return true;
    await using ingest = await this.#options.store.ingest(descriptor.digest);
    await ingest.expect(bytes.length);
    await ingest.write(bytes.subarray(ingest.length));
    return (await ingest.commit()).stored;
  }

  async #load(digest: Digest, link: Link): Promise<Manifest | undefined> {
    const { store, touch } = this.#options;
    const remembered = this.#memory.get(digest);
    if (remembered !== undefined) {
      touch?.(digest);
      return remembered;
    }
    await using blob = await store.open(digest);
    if (blob === undefined || blob.size > LARGEST_MANIFEST) return undefined;
    const bytes = await wholeOf(blob);
    if (digestOf(bytes, algorithmOf(digest)) !== digest) {
      await blob.setAside('digest');
      return undefined;
    }
    const manifest = manifestOf(bytes, link.mediaType, algorithmOf(digest));
    this.#memory.set(digest, manifest);
    touch?.(digest);
    return manifest;
  }
}

function linkOf({ descriptor: { size, mediaType } }: Manifest): Link {
  return { size, mediaType };
}

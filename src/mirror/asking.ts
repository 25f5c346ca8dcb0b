import type { Descriptor } from '../core/descriptor.ts';
import { isUnknown } from '../core/errors.ts';
import { formatReference, type Repository, type Tag } from '../core/reference.ts';
import { SingleFlight } from '../core/single-flight.ts';
import type { Source } from '../core/source.ts';
import { gone, type TagRecord, type TagStore } from '../store/tags.ts';
import type { Background } from './background.ts';
import type { MirrorEvent } from './event.ts';
import type { Heard } from './heard.ts';
import type { Manifests } from './manifests.ts';
import type { TagPolicy } from './policy.ts';
import type { Postponed } from './postponed.ts';

export interface AskingOptions {
  readonly upstream: (host: string) => Source;
  readonly tags: TagStore;
  readonly policy: (host: string) => TagPolicy;
  readonly heard: Heard;
  readonly manifests: Pick<Manifests, 'held' | 'kept' | 'stated'>;
  readonly postponed: Postponed;
  readonly observe: (event: MirrorEvent) => void;
  readonly background: Background;
  readonly now: () => number;
}

/** What is known of a tag that is to be asked about. */
export interface Known {
  readonly record: TagRecord | undefined;
  /** Whether the manifest is here: only then is there something to fall back on. */
  readonly held: boolean;
}

/** What the upstream says of a tag. */
export type Word =
  | { readonly kind: 'same'; readonly descriptor: Descriptor }
  | { readonly kind: 'changed'; readonly descriptor: Descriptor; readonly stored: boolean }
  | { readonly kind: 'gone' | 'silent'; readonly error: unknown };

/** Asks upstreams what tags mean, once at a time for each tag, and notes what they say. */
export class Asking {
  readonly #options: AskingOptions;
  readonly #asking = new SingleFlight<Word>();

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /** Whether the upstream is being asked about it. */
  has(key: string): boolean {
    return this.#asking.has(key);
  }

  /** With something held to fall back on, a meaning that is new has its manifest here when it is told. */
  ask(repository: Repository, tag: Tag, known: Known): Promise<Word> {
    const key = formatReference(repository, tag);
    return this.#asking.run(key, async () => {
      const { heard, observe } = this.#options;
      const before = heard.get(key)?.descriptor.digest;
      const word = await this.#listen(repository, tag, known);
      if (known.record === undefined) return word;
      const { host } = repository;
      const result =
        word.kind === 'same' ? 'unchanged' : word.kind === 'silent' ? 'error' : word.kind;
      observe({ type: 'revalidated', host, result });
      if (word.kind === 'changed' && word.descriptor.digest !== before) {
        this.moved(repository, tag, word.descriptor);
      }
      return word;
    });
  }

  moved(repository: Repository, tag: Tag, { digest }: Descriptor): void {
    this.#options.observe({ type: 'tag-moved', host: repository.host, repository, tag, digest });
  }

  async #listen(repository: Repository, tag: Tag, known: Known): Promise<Word> {
    const { upstream, manifests, now } = this.#options;
    const before = known.record?.descriptor;
    try {
      const said = await upstream(repository.host).resolve(repository, tag);
      const at = now();
      let { descriptor } = said;
      let stored = false;
      if (known.held && descriptor.digest !== before?.digest) {
        // Whoever is told of it asks for it next, and could not go back to what is here.
        const manifest = await manifests.stated(repository, tag, descriptor.digest);
        ({ descriptor } = manifest);
        stored = manifest.served?.stored === true;
      }
      const same = before?.digest === descriptor.digest;
      if (same) descriptor = before;
      await this.note(repository, tag, descriptor, at);
      return same ? { kind: 'same', descriptor } : { kind: 'changed', descriptor, stored };
    } catch (error) {
      return this.#refused(repository, tag, known, error);
    }
  }

  /** The tag means this. It goes on record if the manifest is stored, else when it is. */
  async note(repository: Repository, tag: Tag, descriptor: Descriptor, at: number): Promise<void> {
    const { heard, manifests } = this.#options;
    heard.note(repository, tag, descriptor, at);
    if (await manifests.kept(repository, descriptor.digest))
      void heard.kept(repository, descriptor);
  }

  #refused(repository: Repository, tag: Tag, { record, held }: Known, error: unknown): Word {
    const { tags, heard, policy, postponed, background, now } = this.#options;
    const key = formatReference(repository, tag);
    if (!isUnknown(error) || !error.definitive) {
      postponed.failed(key, error);
      return { kind: 'silent', error };
    }
    const at = now();
    const follow = policy(repository.host).whenDeleted === 'follow';
    if (follow || !held) heard.forget(key);
    if (follow && record !== undefined) background.run(() => tags.remove(repository, tag));
    if (!follow && held) {
      background.run(() => tags.update(repository, tag, (last) => last && gone(last, at)));
    }
    return { kind: 'gone', error };
  }
}

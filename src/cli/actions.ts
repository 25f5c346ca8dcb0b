import type { Digest } from '../core/digest.ts';
import type { Bundles } from './bundle-actions.ts';
import type { Clients } from './client-actions.ts';
import type { Prefetch } from './prefetch-actions.ts';
import type { Upkeep } from './upkeep-actions.ts';

/** A setting from the command line: the flag as it was typed, the path of the configuration's key, the value. */
export interface Override {
  readonly flag: string;
  readonly key: string;
  readonly value: string | true;
}

/** What the flags that all verbs share say about the configuration. */
export interface Choices {
  /** `--config`. */
  readonly config: string | undefined;
  readonly overrides: readonly Override[];
}

export interface ServeChoices extends Choices {
  /** Archives, and files that name images, that are loaded before anybody is served. */
  readonly preload: readonly string[];
  /** Whether to serve the image that is built in, from a folder of its own and offline. */
  readonly helloWorld: 'included' | 'left-out';
  /** It serves; how to try the image that is built in, if it is included. */
  readonly onServing: (command: string) => void;
}

export interface VerifyChoices extends Choices {
  /** `limited`: by `storage.verifyRate`, which `--rate` has set. */
  readonly pace: 'full' | 'limited';
}

export interface CheckChoices extends Choices {
  /** Certificates, and variables that hold passwords: whether they are here as well, or elsewhere. */
  readonly named: 'checked' | 'unchecked';
}

/** One stored blob, read whole and held against its name. */
export interface Verified {
  readonly digest: Digest;
  readonly outcome: 'ok' | 'wrong-digest';
  /** Bytes found. */
  readonly size: number;
}

/** Something that a repository which lives here should have, and has not. */
export interface Lacking {
  readonly repository: string;
  readonly digest: Digest;
  /**
   * `missing-content`: linked, not stored. `missing-link`: not linked. `missing-referrer`: not listed as
   * one. `missing-subject`: listed as a referrer of what it does not refer to.
   */
  readonly outcome: 'missing-content' | 'missing-link' | 'missing-referrer' | 'missing-subject';
  /** The tag or manifest that leads to it. */
  readonly neededBy?: string;
}

/** What the verbs that look after a mirror do. They throw what went wrong; nothing here prints. */
export interface Actions {
  /** Settles once the server has stopped. */
  serve(choices: ServeChoices): Promise<void>;
  /** Why the server that runs with this configuration is not ready; `undefined` when it is. */
  health(choices: Choices): Promise<string | undefined>;
  /** Sets wrong content aside and goes on; then follows everything in the repositories that live here. */
  verify(choices: VerifyChoices): AsyncIterable<Verified | Lacking>;
  /** Every fault of the configuration, one a line; none is an empty list. */
  check(choices: CheckChoices): Promise<readonly string[]>;
  /** The JSON Schema of the configuration. */
  schema(): unknown;
  /** The configuration in effect as YAML with where each value comes from, secrets masked. */
  show(choices: Choices): Promise<string>;
  /** What looks after what is cached. */
  readonly upkeep: Upkeep;
  /** What carries images from one store to another. */
  readonly bundles: Bundles;
  /** Fetches images before anybody asks for them. */
  readonly prefetch: Prefetch;
  /** What looks after the clients of a mirror; loaded when it is asked for. */
  readonly clients: () => Promise<Clients>;
}

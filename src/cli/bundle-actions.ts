import type { Platform } from '../core/platform.ts';
import type { Exported } from '../image/bundle/export.ts';
import type { Imported } from '../image/bundle/import.ts';
import type { Choices } from './actions.ts';

export interface ExportChoices extends Choices {
  readonly patterns: readonly string[];
  /** `-` is standard output, which takes bytes by `stdout`. */
  readonly output: string;
  readonly stdout: (bytes: Uint8Array) => Promise<void>;
  /** Where the lock goes besides. */
  readonly lock: string | undefined;
  /** A bundle or the lock of one. */
  readonly since: string | undefined;
  readonly platforms: 'stored' | 'all' | readonly Platform[];
  readonly referrers: 'stored' | 'all' | 'none';
  readonly begin: (bytes: number) => void;
  readonly progress: (bytes: number) => void;
  readonly signal: AbortSignal;
}

export interface ImportChoices extends Choices {
  /** `-` is what `stdin` gives. */
  readonly file: string;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** The file of a lock. */
  readonly lock: string | undefined;
  readonly as: string | undefined;
  readonly platforms: readonly string[];
  readonly tags: 'keep' | 'overwrite';
  /** Bytes of the archive, as far as they are known. */
  readonly begin: (bytes: number | undefined) => void;
  readonly progress: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Carries images from one store to another. Whether a server runs on the store makes no difference. */
export interface Bundles {
  /** @throws RegistryError with everything that is wanted and not stored */
  export(choices: ExportChoices): Promise<Exported>;
  /** @throws RegistryError saying what is wrong; nothing of the archive is visible then */
  import(choices: ImportChoices): Promise<Omit<Imported, 'places'>>;
}

import { stat } from 'node:fs/promises';
import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { parseImagePattern, type ImagePattern } from '../../core/image-pattern.ts';
import type { Repository, Tag } from '../../core/reference.ts';
import { isRecord } from '../../core/shape.ts';
import { absent, readRecord, replaceFile } from '../small-file.ts';

/** A pattern and who said it: only what was pinned by command can be unpinned by command. */
export interface Pin {
  readonly pattern: string;
  readonly from: 'configuration' | 'command';
}

export interface PinsOptions {
  /** Where pins are kept that were not made in the configuration. */
  readonly file: string;
  /** The folder in which the file is written before it takes its place; left out, beside it. */
  readonly staging?: string;
  /** Patterns of the configuration, which have been checked; they may be others than before. */
  readonly configured: () => readonly string[];
}

/** What is never to be evicted, as people say it. The file may be replaced by others at any time. */
export class Pins {
  readonly #options: PinsOptions;
  #patterns: readonly ImagePattern[] = [];
  #own: readonly string[] = [];
  #configured: readonly string[];
  #seen = '';

  constructor(options: PinsOptions) {
    this.#options = options;
    this.#configured = options.configured();
    this.#parse();
  }

  /** Looks at what the configuration and the file say by now; tells whether it is something else. */
  async read(): Promise<'changed' | 'same'> {
    const own = await this.#read();
    const configured = this.#options.configured();
    const before = this.#configured;
    if (own === 'same' && configured.join('\n') === before.join('\n')) return 'same';
    this.#configured = configured;
    this.#parse();
    return 'changed';
  }

  /** Reads the file if it is another one than before. */
  async #read(): Promise<'changed' | 'same'> {
    const found = await absent(stat(this.#options.file, { bigint: true }));
    const seen = found === undefined ? '' : `${found.ino} ${found.mtimeNs} ${found.size}`;
    if (seen === this.#seen) return 'same';
    // A file that makes no sense keeps what was pinned before: nothing is evicted by a slip of the pen.
    const own = found === undefined ? [] : await readRecord(this.#options.file, parsePins);
    this.#seen = seen;
    if (own === undefined || own.join('\n') === this.#own.join('\n')) return 'same';
    this.#own = own;
    return 'changed';
  }

  get list(): readonly Pin[] {
    return [
      ...this.#configured.map((pattern) => ({ pattern, from: 'configuration' as const })),
      ...this.#own.map((pattern) => ({ pattern, from: 'command' as const })),
    ];
  }

  /** The same for the same patterns. */
  get fingerprint(): string {
    return this.#patterns
      .map(({ text }) => text)
      .toSorted()
      .join('\n');
  }

  /** @throws RegistryError NAME_INVALID for text that is no pattern, or Error of Node */
  async add(pattern: string): Promise<'changed' | 'same'> {
    if (parseImagePattern(pattern) === undefined) {
      throw new RegistryError(
        'NAME_INVALID',
        `not a pattern of images: ${JSON.stringify(pattern)}`,
      );
    }
    await this.read();
    if (this.list.some((pin) => pin.pattern === pattern)) return 'same';
    return this.#write([...this.#own, pattern]);
  }

  /** @throws RegistryError DENIED for one of the configuration, NAME_UNKNOWN for one that is not there */
  async remove(pattern: string): Promise<'changed' | 'same'> {
    await this.read();
    if (this.#own.includes(pattern)) {
      return this.#write(this.#own.filter((own) => own !== pattern));
    }
    if (this.#configured.includes(pattern)) {
      throw new RegistryError('DENIED', `${pattern} is pinned by the configuration (storage.pins)`);
    }
    throw new RegistryError('NAME_UNKNOWN', `${pattern} is not pinned`);
  }

  byTag(repository: Repository, tag: Tag): boolean {
    return this.#patterns.some((pattern) => pattern.byTag(repository, tag));
  }

  byDigest(repository: Repository, digest: Digest): boolean {
    return this.#patterns.some(
      (pattern) =>
        (pattern.covers === 'everything' || pattern.digest === digest) &&
        pattern.inRepository(repository),
    );
  }

  async #write(own: readonly string[]): Promise<'changed'> {
    const { file, staging } = this.#options;
    await replaceFile(file, `${JSON.stringify({ pins: own }, undefined, 2)}\n`, staging);
    await this.read();
    return 'changed';
  }

  #parse(): void {
    this.#patterns = [...this.#configured, ...this.#own].flatMap(
      (text) => parseImagePattern(text) ?? [],
    );
  }
}

function parsePins(value: unknown): readonly string[] | undefined {
  if (!isRecord(value) || !Array.isArray(value['pins'])) return undefined;
  const pins: unknown[] = value['pins'];
  return pins.every((pin) => typeof pin === 'string') ? pins : undefined;
}

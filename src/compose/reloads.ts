import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { changeOf, type Change } from '../config/changes.ts';
import type { Config } from '../config/config.ts';
import { ConfigError, formatFault } from '../config/fault.ts';
import { pemFilesOf, readPem, type PemFiles } from '../config/pem.ts';
import { fileOf, readConfig, type ReadConfig, type Request } from '../config/read.ts';
import { asError, systemCode } from '../core/errors.ts';

/** Who asked for a reload: an operator, or a file that has changed. */
export type Cause = 'signal' | 'files';

export type ReloadEvent =
  | {
      readonly type: 'reloaded';
      readonly cause: Cause;
      /** Keys with another value than before. */
      readonly changed: readonly string[];
      /** PEM files with other content than before. */
      readonly renewed: readonly string[];
      /** Keys with another value than the one in effect, which only a restart changes. */
      readonly needRestart: readonly string[];
    }
  /** What was in effect still is. */
  | { readonly type: 'refused'; readonly cause: Cause; readonly faults: readonly string[] };

export interface ReloadsOptions {
  readonly request: Request;
  /** What is in effect at the beginning. */
  readonly read: ReadConfig;
  readonly pem: PemFiles;
  /** Puts a configuration into effect: all of it or, if it throws, nothing. */
  readonly apply: (change: Change, pem: PemFiles) => void;
  readonly observe: (event: ReloadEvent) => void;
}

/** Milliseconds between two looks at files that are being written, and how many of them there are at most. */
const PAUSE = 100;
const MOST_LOOKS = 20;

/**
 * Reads the configuration again while it is in effect: the file, and the files that it names. The
 * environment and the flags are those of the start, and go on winning over the file. Nothing is
 * written, so nothing is half done when the process is killed in the middle.
 */
export class Reloads {
  readonly #options: ReloadsOptions;
  /** What each file held when it was last read. */
  readonly #seen = new Map<string, string>();
  #read: ReadConfig;
  #pem: PemFiles;
  #config: Config;
  /** What was read last, in effect or not: its files may be mended. */
  #attempted: Config;
  #last: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;

  constructor(options: ReloadsOptions) {
    const { read, pem, request } = options;
    this.#options = options;
    [this.#read, this.#pem, this.#config, this.#attempted] = [read, pem, read.config, read.config];
    for (const [file, text] of pem) this.#seen.set(file, marked(text));
    this.#seen.set(fileOf(request), read.file === undefined ? 'ENOENT' : marked(read.text));
  }

  /** Every file whose content matters, there or not. */
  get files(): readonly string[] {
    const named = [...pemFilesOf(this.#config), ...pemFilesOf(this.#attempted)];
    return [...new Set([fileOf(this.#options.request), ...named])];
  }

  /** Reads everything again, whether it has changed or not. Never rejects. One at a time. */
  reload(cause: Cause): Promise<void> {
    // Who waits has not begun to read: it serves for whoever comes meanwhile.
    this.#waiting ??= this.#inTurn(async () => {
      this.#waiting = undefined;
      await this.#reload(cause);
    });
    return this.#waiting;
  }

  /** The same if one of the files holds something else than when it was last read. */
  look(): Promise<void> {
    return this.#inTurn(async () => {
      const found = await this.#contents();
      if ([...found].every(([file, content]) => content === this.#seen.get(file))) return;
      await this.#settled();
      await this.#reload('files');
    });
  }

  /** Until nobody is in the middle of writing: what is there of a file would not be what is meant. */
  async #settled(): Promise<void> {
    let before = await this.#contents();
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      await delay(PAUSE, undefined, { ref: false });
      const now = await this.#contents();
      if (isDeepStrictEqual(now, before)) return;
      before = now;
    }
  }

  async #contents(): Promise<ReadonlyMap<string, string>> {
    const contents = this.files.map(async (file) => [file, await contentOf(file)] as const);
    return new Map(await Promise.all(contents));
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(task);
    return this.#last;
  }

  async #reload(cause: Cause): Promise<void> {
    const { request, apply, observe } = this.#options;
    try {
      // Noted before it is read: what changes in between is then seen as another change.
      await this.#note([fileOf(request)]);
      const read = await readConfig(request, this.#read);
      const change = changeOf(this.#config, read.config);
      this.#attempted = change.config;
      await this.#note(pemFilesOf(change.config));
      const { config, changed, needRestart } = change;
      const pem = await readPem({ config, tree: read.tree }, request.environment);
      apply(change, pem);
      const renewed = [...pem].flatMap(([file, text]) =>
        (this.#pem.get(file) ?? text) === text ? [] : [file],
      );
      [this.#read, this.#pem, this.#config] = [read, pem, config];
      observe({ type: 'reloaded', cause, changed, renewed, needRestart });
    } catch (error) {
      observe({ type: 'refused', cause, faults: faultsOf(error) });
    }
  }

  async #note(files: readonly string[]): Promise<void> {
    for (const file of files) this.#seen.set(file, await contentOf(file));
  }
}

function faultsOf(error: unknown): readonly string[] {
  return error instanceof ConfigError ? error.faults.map(formatFault) : [asError(error).message];
}

/** The same for the same content; files that cannot be read have their reason for it. */
async function contentOf(file: string): Promise<string> {
  try {
    return marked(await readFile(file, 'utf8'));
  } catch (error) {
    return systemCode(error) ?? 'unreadable';
  }
}

function marked(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

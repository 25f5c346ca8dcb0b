import { watch, type FSWatcher } from 'node:fs';
import { readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '../core/errors.ts';

export interface WatchOptions {
  /** What is watched, there or not; asked anew after each change. */
  readonly files: () => readonly string[];
  /** One of them may be another by now. Called again only when it has settled; it does not reject. */
  readonly onChange: () => Promise<void>;
  /** A folder cannot be watched: the files are looked at every few seconds instead. */
  readonly onPoll?: (folder: string, error: Error) => void;
  /** Node's own, if left out. */
  readonly watch?: (folder: string, listener: (name: string | null) => void) => FSWatcher;
  /** Milliseconds without an event after which a change counts as complete. */
  readonly quiet?: number;
  /** Milliseconds between two looks where nothing can be watched. */
  readonly every?: number;
}

const QUIET = 200;

/** Milliseconds after which a change is looked at though it goes on. */
const MOST = 2_000;

/** Milliseconds between two looks where nothing can be watched. */
const EVERY = 5_000;

/** Links on the way to a file; more of them lead in a circle. */
const MOST_LINKS = 40;

/** A name in a folder that leads to a file. */
interface Place {
  readonly folder: string;
  readonly name: string;
}

/** A folder that is watched. Under the same path there may be another one later. */
interface Watched {
  readonly watcher: FSWatcher;
  readonly identity: string;
  names: ReadonlySet<string>;
}

/**
 * Notices when files become others. Their folders are watched, as editors replace a file by renaming,
 * and so is every link and folder on the way, as Kubernetes swaps the link to a folder of them.
 */
export class FileWatch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #polling: NodeJS.Timeout | undefined;
  #since: number | undefined;
  #working: Promise<void> | undefined;
  #over = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    // What changes before the folders are watched must be noticed, too.
    this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    clearTimeout(this.#timer);
    clearInterval(this.#polling);
    await this.#working;
    for (const { watcher } of this.#watched.values()) watcher.close();
  }

  /** Something happened: it is looked at when nothing more has for a moment. */
  #touched(): void {
    if (this.#over) return;
    const now = performance.now();
    this.#since ??= now;
    clearTimeout(this.#timer);
    const { quiet = QUIET } = this.#options;
    const wait = Math.min(quiet, Math.max(0, this.#since + MOST - now));
    this.#timer = setTimeout(() => this.#work(), wait).unref();
  }

  #work(): void {
    // What happens from here on is another change. While one is being looked at, it waits.
    if (this.#working !== undefined) return this.#touched();
    this.#since = undefined;
    this.#working = this.#look().finally(() => {
      this.#working = undefined;
    });
  }

  async #look(): Promise<void> {
    await this.#rewatch();
    if (!this.#over) await this.#options.onChange();
    // Other files may be named now.
    if (!this.#over) await this.#rewatch();
  }

  /** Watches the folders that matter by now, and no others. */
  async #rewatch(): Promise<void> {
    const wanted = new Map<string, Set<string>>();
    for (const file of this.#options.files()) {
      for (const { folder, name } of await placesOf(file)) {
        wanted.set(folder, (wanted.get(folder) ?? new Set()).add(name));
      }
    }
    for (const [folder, { watcher }] of this.#watched) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watched.delete(folder);
    }
    for (const [folder, names] of wanted) await this.#watch(folder, names);
  }

  async #watch(folder: string, names: ReadonlySet<string>): Promise<void> {
    try {
      const { dev, ino, birthtimeNs } = await stat(folder, { bigint: true });
      const identity = `${dev} ${ino} ${birthtimeNs}`;
      const before = this.#watched.get(folder);
      if (before?.identity === identity) {
        before.names = names;
        return;
      }
      before?.watcher.close();
      this.#watched.delete(folder);
      if (this.#over) return;
      const { watch: start = watchFolder } = this.#options;
      const watcher = start(folder, (name) => {
        const known = this.#watched.get(folder)?.names ?? names;
        if (name === null || known.has(name)) this.#touched();
      });
      watcher.on('error', () => {
        watcher.close();
        this.#watched.delete(folder);
        this.#touched();
      });
      this.#watched.set(folder, { watcher, identity, names });
      this.#touched();
    } catch (error) {
      // It has gone meanwhile, which the folder above it tells.
      if (systemCode(error) === 'ENOENT') return;
      if (this.#polling === undefined && error instanceof Error) {
        this.#options.onPoll?.(folder, error);
      }
      this.#polling ??= setInterval(() => this.#work(), this.#options.every ?? EVERY).unref();
    }
  }
}

function watchFolder(folder: string, listener: (name: string | null) => void): FSWatcher {
  return watch(folder, { persistent: false }, (_event, name) => listener(name));
}

/** Every name that has to be as it is for the path to lead where it leads. */
async function placesOf(file: string): Promise<readonly Place[]> {
  const full = path.resolve(file);
  const places: Place[] = [];
  let folder = path.parse(full).root;
  let waiting = partsOf(full.slice(folder.length));
  for (let links = 0; links < MOST_LINKS;) {
    const [name, ...rest] = waiting;
    if (name === undefined) break;
    waiting = rest;
    if (name === '..') {
      folder = path.dirname(folder);
      continue;
    }
    places.push({ folder, name });
    const target = await linkAt(path.join(folder, name));
    if (target === 'absent') break;
    if (target === 'no link') {
      folder = path.join(folder, name);
      continue;
    }
    links += 1;
    const { root } = path.parse(target.link);
    if (root !== '') folder = root;
    waiting = [...partsOf(target.link.slice(root.length)), ...rest];
  }
  return places;
}

function partsOf(relative: string): string[] {
  return relative.split(path.sep).filter((part) => part !== '' && part !== '.');
}

async function linkAt(full: string): Promise<'absent' | 'no link' | { readonly link: string }> {
  try {
    return { link: await readlink(full) };
  } catch (error) {
    // On Windows a name that is no link is "unknown".
    return ['EINVAL', 'UNKNOWN'].includes(systemCode(error) ?? '') ? 'no link' : 'absent';
  }
}

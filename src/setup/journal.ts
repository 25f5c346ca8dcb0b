import { createHash } from 'node:crypto';
import path from 'node:path';
import { RegistryError } from '../core/errors.ts';
import { isCount, isRecord } from '../core/shape.ts';
import type { FileState, RootFolder } from './root-folder.ts';

/** What a file was before it was first touched. */
interface Before {
  /** SHA-256 of its content, and the name of its copy among the back-ups. */
  readonly content: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A file that was changed. */
export interface Entry {
  readonly path: string;
  /** `undefined`: there was none. */
  readonly before: Before | undefined;
  /** SHA-256 of what was last written. */
  readonly after: string;
  /** Somebody changed it between two of our changes: what it was before is not all there is to lose. */
  readonly mixed: boolean;
}

interface State {
  readonly entries: readonly Entry[];
  /** Folders that were made, outermost first. */
  readonly folders: readonly string[];
}

const STATE = 'state.json';
const LOCK = 'lock';
const EMPTY: State = { entries: [], folders: [] };

/**
 * What was changed in a client's files, with the files as they were: written before each change, so that
 * whatever happens in between can be undone. It lies beside the files, since that is what is mounted where
 * only a client's folder is.
 */
export class Journal {
  readonly #root: RootFolder;
  readonly #folder: string;

  /** @param folder for the journal alone */
  constructor(root: RootFolder, folder: string) {
    this.#root = root;
    this.#folder = folder;
  }

  /**
   * To be held by whoever changes something.
   * @throws RegistryError STORAGE_UNAVAILABLE while another process does
   */
  async begin(): Promise<Disposable> {
    const folders = await this.#root.missing(this.#inside(STATE));
    using stack = new DisposableStack();
    stack.use(await this.#root.lock(this.#inside(LOCK)));
    if (folders.length > 0) await this.#save(await this.#state(), folders);
    return stack.move();
  }

  /** In the order of the first change. */
  async entries(): Promise<readonly Entry[]> {
    return (await this.#state()).entries;
  }

  /** Changes a file, once its back-up is on the disk, and what is to be undone is, too. */
  async write(name: string, bytes: Buffer): Promise<void> {
    const state = await this.#state();
    const current = await this.#root.read(name);
    const known = state.entries.find((entry) => entry.path === name);
    const entry = await this.#entry({ name, known, current, after: digest(bytes) });
    const entries = [...state.entries.filter((one) => one !== known), entry];
    await this.#save({ ...state, entries }, await this.#root.missing(name));
    await this.#root.write(name, { ...current, bytes });
  }

  /** What the file was before it was first changed. */
  async original({ before }: Entry): Promise<FileState | undefined> {
    if (before === undefined) return undefined;
    const { content, ...rest } = before;
    const copy = await this.#root.read(this.#inside(content));
    if (copy === undefined || digest(copy.bytes) !== content) {
      throw new RegistryError('STORAGE_UNAVAILABLE', `the back-up ${content} is not what it was`);
    }
    return { ...rest, bytes: copy.bytes };
  }

  /** Puts a file back to what it was, and forgets it. */
  async restore(entry: Entry): Promise<void> {
    const original = await this.original(entry);
    if (original === undefined) await this.#root.remove(entry.path);
    else await this.#root.write(entry.path, original);
    const state = await this.#state();
    const entries = state.entries.filter(({ path }) => path !== entry.path);
    await this.#save({ ...state, entries });
  }

  /** Removes itself and the folders that were made, once there is nothing left to undo. */
  async close(): Promise<void> {
    const { entries, folders } = await this.#state();
    if (entries.length > 0) return;
    // The state last: until then all of this can be done again.
    const names = await this.#root.list(this.#folder);
    for (const name of [...names.filter((one) => one !== STATE), STATE]) {
      await this.#root.remove(this.#inside(name));
    }
    await this.#root.removeEmpty(this.#folder);
    for (const folder of folders.toReversed()) await this.#root.removeEmpty(folder);
  }

  async #entry(change: {
    readonly name: string;
    readonly known: Entry | undefined;
    readonly current: FileState | undefined;
    readonly after: string;
  }): Promise<Entry> {
    const { name, known, current, after } = change;
    const now = current === undefined ? undefined : digest(current.bytes);
    if (known !== undefined && (now === known.after || now === known.before?.content)) {
      return { ...known, after };
    }
    if (known !== undefined) {
      // Kept as well, for whoever has to sort it out.
      if (current !== undefined) await this.#keep(current);
      return { ...known, after, mixed: true };
    }
    const before = current === undefined ? undefined : await this.#keep(current);
    return { path: name, before, after, mixed: false };
  }

  async #keep({ bytes, mode, uid, gid }: FileState): Promise<Before> {
    const content = digest(bytes);
    const name = this.#inside(content);
    // What is backed up may hold passwords.
    await this.#root.write(name, { bytes, mode: 0o600 });
    return { content, mode, uid, gid };
  }

  async #state(): Promise<State> {
    const name = this.#inside(STATE);
    const text = await this.#root.text(name);
    if (text === undefined) return EMPTY;
    const state = parseState(text);
    if (state !== undefined) return state;
    throw new RegistryError('STORAGE_UNAVAILABLE', `${name} is not what was written`);
  }

  /** @param made folders that are about to be made as well */
  async #save(state: State, made: readonly string[] = []): Promise<void> {
    const folders = [...new Set([...state.folders, ...made])];
    const bytes = Buffer.from(`${JSON.stringify({ ...state, folders }, undefined, 2)}\n`);
    await this.#root.write(this.#inside(STATE), { bytes, mode: 0o600 });
  }

  #inside(name: string): string {
    return path.posix.join(this.#folder, name);
  }
}

/** SHA-256, in hexadecimal digits. */
export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function parseState(text: string): State | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { entries, folders } = value;
  if (!Array.isArray(entries) || !Array.isArray(folders)) return undefined;
  const parsed = entries.map(parseEntry).filter((entry) => entry !== undefined);
  if (parsed.length < entries.length) return undefined;
  if (!folders.every((folder: unknown) => typeof folder === 'string')) return undefined;
  return { entries: parsed, folders };
}

function parseEntry(value: unknown): Entry | undefined {
  if (!isRecord(value)) return undefined;
  const { path, before, after, mixed } = value;
  if (typeof path !== 'string' || typeof after !== 'string') return undefined;
  if (before === undefined) return { path, before, after, mixed: mixed === true };
  if (!isRecord(before)) return undefined;
  const { content, mode, uid, gid } = before;
  if (typeof content !== 'string' || !/^[0-9a-f]{64}$/.test(content)) return undefined;
  if (!isCount(mode) || !isCount(uid) || !isCount(gid)) return undefined;
  return { path, before: { content, mode, uid, gid }, after, mixed: mixed === true };
}

import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { RegistryError, systemCode } from '../core/errors.ts';
import { dotenv } from '../image/finder/dotenv.ts';
import type { Variables } from '../image/finder/interpolate.ts';
import { findByDocument, LARGEST_FILE } from '../image/finder/find.ts';
import type { Finding, Followed, Place } from '../image/finder/finding.ts';

export interface ImageFilesOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What `-` stands for. */
  readonly input: () => Promise<string>;
}

/** A file to be looked into. */
interface Wanted {
  readonly file: string;
  readonly service?: string | undefined;
  /** Where another file says that it is to be; `undefined` where a user does. */
  readonly by?: Place | undefined;
  /** What the file that says so knows. */
  readonly variables?: Variables;
}

/** Files that one file leads to, of compose files. */
const MOST_FOLLOWED = 200;

/** Folders that are told of by name. */
const MOST_FOLDERS = 5;

/**
 * The images that files name, and those in a folder (`.yaml`, `.yml` and `.json`, not in folders within
 * it, which is told). Compose files are followed to those that they include or extend. Variables of theirs
 * come from the environment, then from `.env` beside the file, first beside the one that leads to it.
 * @throws RegistryError REQUEST_INVALID for a file that cannot be read
 */
export async function* imagesIn(
  files: readonly string[],
  options: ImageFilesOptions,
): AsyncGenerator<Finding> {
  for (const named of files) {
    const { files: found, folders } = await filesOf(named);
    yield* passedOver(named, folders);
    const known = new Set(found.map((file) => path.resolve(file)));
    for (const file of found) yield* following(file, known, options);
  }
}

/** What a file names, and those that it leads to; each of them once, as far as every service of it counts. */
async function* following(
  first: string,
  known: Set<string>,
  options: ImageFilesOptions,
): AsyncGenerator<Finding> {
  const pending: Wanted[] = [{ file: first }];
  for (let count = 0; pending.length > 0; count += 1) {
    const wanted = pending.shift();
    if (wanted === undefined) return;
    const { file, service, by } = wanted;
    const follow = (followed: Followed, place: Place): void => {
      const next = path.resolve(path.dirname(file), followed.file);
      const name = `${next}${followed.service === undefined ? '' : `\0${followed.service}`}`;
      if (known.has(name) || known.has(next)) return;
      known.add(name);
      pending.push({ ...followed, file: shownFrom(file, followed.file), by: place, variables });
    };
    let text: string;
    try {
      if (count > MOST_FOLLOWED) throw refused(file, `one of more than ${MOST_FOLLOWED} files`);
      text = file === '-' ? await options.input() : await textOf(file, by);
    } catch (error) {
      if (by === undefined || !(error instanceof RegistryError)) throw error;
      yield { ...by, kind: 'unusable', written: file, reason: error.message };
      if (count > MOST_FOLLOWED) return;
      continue;
    }
    const beside = await variablesBeside(file);
    const before = wanted.variables ?? ((name: string) => options.environment[name]);
    const variables: Variables = (name) => before(name) ?? beside.get(name);
    for (const findings of findByDocument({ file, text, variables, follow, service })) {
      yield* findings;
      // Reading is slow; in a server others wait.
      await setImmediate();
    }
  }
}

/** A name in a file, seen from where that file is named from. */
function shownFrom(file: string, named: string): string {
  return path.isAbsolute(named) ? named : path.join(path.dirname(file), named);
}

function* passedOver(named: string, folders: readonly string[]): Generator<Finding> {
  if (folders.length === 0) return;
  const more = folders.length > MOST_FOLDERS ? `, and ${folders.length - MOST_FOLDERS} more` : '';
  const names = `${folders.slice(0, MOST_FOLDERS).join(', ')}${more}`;
  const reason = `folders in it are not looked into: ${names}; name those as well`;
  yield { file: named, line: 0, path: '', kind: 'skipped', reason };
}

async function filesOf(
  named: string,
): Promise<{ readonly files: readonly string[]; readonly folders: readonly string[] }> {
  if (named === '-' || !(await readable(named, stat(named))).isDirectory()) {
    return { files: [named], folders: [] };
  }
  const entries = await readable(named, readdir(named, { withFileTypes: true }));
  const [folders, others] = [true, false].map((folder) =>
    entries.filter((entry) => entry.isDirectory() === folder).map(({ name }) => name),
  );
  const files = (others ?? []).filter((name) => /\.(?:ya?ml|json)$/i.test(name)).toSorted();
  const visible = (folders ?? []).filter((name) => !name.startsWith('.')).toSorted();
  return { files: files.map((name) => path.join(named, name)), folders: visible };
}

/** What one file leads to has to be a file, which ends: nobody has looked at the name. */
async function textOf(file: string, by: Place | undefined): Promise<string> {
  if (by !== undefined && !(await readable(file, stat(file))).isFile()) {
    throw refused(file, 'it is not a file');
  }
  await using handle = await readable(file, open(file));
  const { size } = await readable(file, handle.stat());
  if (size > LARGEST_FILE) throw refused(file, `it has ${size} bytes, more than ${LARGEST_FILE}`);
  return decoded(await readable(file, handle.readFile()));
}

/** As programs on Windows write it, too. */
export function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder().decode(bytes);
}

async function variablesBeside(file: string): Promise<ReadonlyMap<string, string>> {
  if (file === '-') return new Map();
  try {
    return dotenv(await readFile(path.join(path.dirname(file), '.env'), 'utf8'));
  } catch (error) {
    // There need not be one, and it need not be for everybody.
    if (systemCode(error) === undefined) throw error;
    return new Map();
  }
}

async function readable<T>(file: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw refused(
      file,
      code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`,
    );
  }
}

function refused(file: string, reason: string): RegistryError {
  return new RegistryError('REQUEST_INVALID', `${file}: ${reason}`);
}

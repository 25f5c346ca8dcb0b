import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { RegistryError, systemCode } from '../core/errors.ts';
import { dotenv } from '../image/finder/dotenv.ts';
import { findByDocument, LARGEST_FILE } from '../image/finder/find.ts';
import type { Finding } from '../image/finder/finding.ts';

export interface ImageFilesOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What `-` stands for. */
  readonly input: () => Promise<string>;
}

/**
 * The images that files name, and those in a folder (`.yaml`, `.yml` and `.json`, not in folders within
 * it). Variables of compose files come from the environment, then from `.env` beside the file.
 * @throws RegistryError REQUEST_INVALID for a file that cannot be read
 */
export async function* imagesIn(
  files: readonly string[],
  options: ImageFilesOptions,
): AsyncGenerator<Finding> {
  for (const named of files) {
    for (const file of await filesOf(named)) {
      const text = file === '-' ? await options.input() : await textOf(file);
      const beside = await variablesBeside(file);
      const variables = (name: string) => options.environment[name] ?? beside.get(name);
      for (const findings of findByDocument({ file, text, variables })) {
        yield* findings;
        // Reading is slow; in a server others wait.
        await setImmediate();
      }
    }
  }
}

async function filesOf(named: string): Promise<readonly string[]> {
  if (named === '-' || !(await readable(named, stat(named))).isDirectory()) return [named];
  const names = await readable(named, readdir(named));
  const files = names.filter((name) => /\.(?:ya?ml|json)$/i.test(name)).toSorted();
  return files.map((name) => path.join(named, name));
}

async function textOf(file: string): Promise<string> {
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

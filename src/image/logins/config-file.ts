import { randomUUID } from 'node:crypto';
import { link, lstat, open, readlink, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { RegistryError, systemCode } from '../../core/errors.ts';
import { readConfig } from '../../upstream/docker-config.ts';
import { makeFolder } from '../../store/make-folder.ts';

export type DockerConfig = Readonly<Record<string, unknown>>;

/** Milliseconds: between looks at a lock, until it counts as left behind, until waiting ends. */
const LOOK = 25;
const STALE = 10_000;
const PATIENCE = 20_000;
const MOST_LINKS = 40;

/**
 * Changes docker's `config.json`: read, changed and replaced in one rename, with mode 0600, under a
 * lock that others of our kind respect. A symbolic link stays one. What `change` does not touch
 * stays; giving back nothing leaves the file alone. It is indented by tabs, as docker does, or by `indent`.
 * @throws RegistryError UPSTREAM_UNAVAILABLE for a file that is not JSON, STORAGE_UNAVAILABLE
 */
export async function changeConfig(
  file: string,
  change: (config: DockerConfig) => DockerConfig | undefined,
  indent = '\t',
): Promise<void> {
  try {
    const target = await followed(file);
    await makeFolder(path.dirname(target), 0o700);
    await using _lock = await locked(`${target}.lock`);
    const changed = change((await readConfig(target)) ?? {});
    if (changed !== undefined)
      await replace(target, `${JSON.stringify(changed, undefined, indent)}\n`);
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError('STORAGE_UNAVAILABLE', `${file} cannot be written`, { cause });
  }
}

/** The file behind symbolic links, there or not. */
async function followed(file: string): Promise<string> {
  let at = path.resolve(file);
  for (let count = 0; count < MOST_LINKS; count += 1) {
    try {
      if (!(await lstat(at)).isSymbolicLink()) return at;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return at;
      throw error;
    }
    at = path.resolve(path.dirname(at), await readlink(at));
  }
  throw new RegistryError('STORAGE_UNAVAILABLE', `${file}: its links go round in circles`);
}

async function replace(target: string, text: string): Promise<void> {
  const temporary = `${target}.${randomUUID()}`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Who dies with a lock in hand leaves it behind: an old one is taken over. */
async function locked(lock: string): Promise<AsyncDisposable> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    try {
      const handle = await open(lock, 'wx', 0o600);
      await handle.close();
      return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    if (performance.now() > until) {
      throw new RegistryError('STORAGE_UNAVAILABLE', `${lock} is held by somebody else`);
    }
    if (await isStale(lock)) await breakOpen(lock);
    else await after(LOOK);
  }
}

/** Taken aside first, and put back should it be another one by now, which somebody just made. */
async function breakOpen(lock: string): Promise<void> {
  const aside = `${lock}.${randomUUID()}`;
  try {
    await rename(lock, aside);
    if (!(await isStale(aside))) await link(aside, lock);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

async function isStale(lock: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(lock)).mtimeMs > STALE;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

import { glob, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { RegistryError } from '../core/errors.ts';
import { isHosted } from '../core/hosted.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import type { Repository } from '../core/reference.ts';
import { isRecord } from '../core/shape.ts';
import { archiveBytes } from '../image/bundle/archive-bytes.ts';
import type { Imported } from '../image/bundle/import.ts';
import { isAbsent, type PrefetchSummary } from '../image/prefetch/event.ts';
import { replaceDurably } from '../store/durable.ts';
import { readRecord } from '../store/small-file.ts';
import { namesIn } from './image-names.ts';
import type { Importer } from './importer.ts';
import type { OpenStore } from './store.ts';

export interface PreloadOptions {
  /** Archives and files that name images: globs, several in one divided by commas. */
  readonly patterns: readonly string[];
  readonly store: Pick<OpenStore, 'paths' | 'records'>;
  readonly importer: Importer;
  /** Fetches what files name. */
  readonly prefetch: (images: readonly string[]) => Promise<PrefetchSummary>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly observe: (event: PreloadEvent) => void;
}

export type PreloadEvent =
  | { readonly type: 'unchanged'; readonly file: string }
  | { readonly type: 'imported'; readonly file: string; readonly imported: Imported }
  | { readonly type: 'fetched'; readonly file: string; readonly summary: PrefetchSummary };

/** An archive as it was when all of it was imported. */
interface Known {
  readonly size: number;
  readonly mtimeMs: number;
  readonly places: Imported['places'];
}

/**
 * Fills the store before anybody is served. It only adds: a tag that is here and means something else
 * stays. An archive of which everything is here already, and that has not changed since, is not read.
 * @throws RegistryError with the reason why something could not be loaded; the signal's reason
 */
export async function preload(options: PreloadOptions): Promise<void> {
  const { patterns, store, observe, signal } = options;
  const record = path.join(store.paths.root, 'preloaded.json');
  const known = new Map((await readRecord(record, knownIn)) ?? []);
  const before = JSON.stringify([...known]);
  const files = await filesOf(patterns, signal);
  try {
    for (const file of files) {
      signal.throwIfAborted();
      if ((await kindOf(file)) === 'list') {
        observe({ type: 'fetched', file, summary: await fetched(file, options) });
        continue;
      }
      const { size, mtimeMs: exact } = await stat(file);
      const mtimeMs = Math.floor(exact);
      const was = known.get(file);
      if (isSame(was, { size, mtimeMs }) && (await areHere(was.places, store))) {
        observe({ type: 'unchanged', file });
        continue;
      }
      const imported = await imports(file, options);
      known.set(file, { size, mtimeMs, places: imported.places });
      observe({ type: 'imported', file, imported });
    }
  } finally {
    // What was imported before something else went wrong is not read again.
    const after = JSON.stringify([...known]);
    if (after !== before) await replaceDurably(record, after);
  }
}

/** Not every copy of a file keeps more of its time than milliseconds, and some round up to them. */
function isSame(was: Known | undefined, now: Omit<Known, 'places'>): was is Known {
  return was?.size === now.size && Math.abs(was.mtimeMs - now.mtimeMs) <= 1;
}

/** @throws RegistryError NAME_UNKNOWN for a pattern that fits nothing; the signal's reason */
async function filesOf(
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  // A walk may take long without coming upon anything that fits.
  const exclude = (): boolean => {
    signal.throwIfAborted();
    return false;
  };
  const found = new Set<string>();
  for (const pattern of patterns.flatMap((text) => text.split(',')).map((one) => one.trim())) {
    if (pattern === '') continue;
    const fitting: string[] = [];
    for await (const name of glob(pattern, { exclude })) {
      signal.throwIfAborted();
      fitting.push(path.resolve(name));
    }
    if (fitting.length === 0) {
      throw new RegistryError('NAME_UNKNOWN', `--preload: no file fits ${pattern}`);
    }
    for (const file of fitting.toSorted()) found.add(file);
  }
  return [...found];
}

/** By what is in it: text names images, everything else is an archive. */
async function kindOf(file: string): Promise<'archive' | 'list'> {
  if ((await stat(file)).isDirectory()) {
    const layout = await stat(path.join(file, 'index.json')).catch(() => undefined);
    return layout === undefined ? 'list' : 'archive';
  }
  await using handle = await open(file);
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(512), 0, 512, 0);
  return buffer.subarray(0, bytesRead).includes(0) || isPacked(buffer) ? 'archive' : 'list';
}

function isPacked(bytes: Buffer): boolean {
  return /^(?:1f8b|28b52ffd|[45][0-9a-f]2a4d18)/.test(bytes.toString('hex', 0, 4));
}

async function imports(file: string, { importer, signal }: PreloadOptions): Promise<Imported> {
  const { bytes } = await archiveBytes(file, 'reused');
  return importer.import({ name: file, platforms: [], tags: 'spare' }, bytes, signal);
}

async function fetched(file: string, options: PreloadOptions): Promise<PrefetchSummary> {
  const { images, unusable, built = [] } = await namesIn([file], options);
  const [wrong] = unusable;
  if (wrong !== undefined) throw new RegistryError('NAME_INVALID', `--preload: ${wrong.reason}`);
  if (images.length === 0) {
    throw new RegistryError('REQUEST_INVALID', `--preload: ${file} names no image`);
  }
  const summary = await options.prefetch([...new Set(images)]);
  const failures = summary.failures.filter((one) => !(isAbsent(one) && built.includes(one.image)));
  const [failure] = failures;
  if (failure === undefined) return summary;
  const more = failures.length - 1;
  throw new RegistryError(
    failure.code,
    `--preload: ${file}: ${failure.image}: ${failure.reason}${more === 0 ? '' : `, and ${more} more`}`,
  );
}

/** A mark for each that no eviction takes away; what was pruned since is to be imported again. */
async function areHere(
  places: Imported['places'],
  { paths, records }: PreloadOptions['store'],
): Promise<boolean> {
  for (const { repository, digest } of places) {
    const here = isHosted(repository)
      ? await records.link(repository, digest)
      : await stat(paths.import(repository, digest)).catch(() => undefined);
    if (here === undefined) return false;
  }
  return true;
}

function knownIn(value: unknown): readonly (readonly [string, Known])[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((entry: unknown) => {
    const [file, known]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof file !== 'string' || !isRecord(known)) return [];
    const { size, mtimeMs, places } = known;
    if (typeof size !== 'number' || typeof mtimeMs !== 'number' || !Array.isArray(places))
      return [];
    return [[file, { size, mtimeMs, places: places.flatMap(placeIn) }] as const];
  });
}

function placeIn(value: unknown): { repository: Repository; digest: Digest }[] {
  if (!isRecord(value) || !isRecord(value['repository'])) return [];
  const { host, path: name } = value['repository'];
  const { digest } = value;
  if (typeof host !== 'string' || typeof name !== 'string') return [];
  return typeof digest === 'string' && isDigest(digest)
    ? [{ repository: { host, path: name }, digest }]
    : [];
}

import type { Choices } from '../cli/actions.ts';
import type { Bundles } from '../cli/bundle-actions.ts';
import type { Config } from '../config/config.ts';
import { archiveBytes, type ArchiveBytes } from '../image/bundle/archive-bytes.ts';
import { readLock } from '../image/bundle/base.ts';
import { exportBundle } from '../image/bundle/export.ts';
import { formatLock } from '../image/bundle/lock.ts';
import { isPipe, pipeBytes } from '../image/bundle/pipe-bytes.ts';
import type { ImportQuery } from '../image/bundle/query.ts';
import { Paths } from '../store/paths.ts';
import { serverOn } from './admin-client.ts';
import { openAlone } from './alone.ts';
import { openHosted } from './hosted.ts';
import { importThrough, type ImportedThere } from './import-client.ts';
import { Importer } from './importer.ts';
import { imagePattern } from './patterns.ts';

/** What carries images between stores, wired to the real things. */
export function bundlesOf(configOf: (choices: Choices) => Promise<Config>): Bundles {
  return {
    async export({ patterns, output, since, ...more }) {
      const config = await configOf(more);
      return exportBundle({
        ...more,
        store: config.storage.path,
        patterns: patterns.map((text) => imagePattern(config, text)),
        file: output,
        since: since === undefined ? undefined : await readLock(since),
      });
    },
    async import({ file, stdin, lock, begin, progress, signal, ...more }) {
      const config = await configOf(more);
      const { as, platforms, tags } = more;
      const text = lock === undefined ? undefined : formatLock(await readLock(lock)).toString();
      const name = file === '-' ? 'standard input' : file;
      const query = { name, lock: text, as, platforms, tags };
      const server = await serverOn(new Paths(config.storage.path));
      const { size, bytes } = await incoming(file, stdin, signal);
      begin(size);
      const counted = tally(bytes, progress);
      return server === undefined
        ? alone(config, query, counted, signal)
        : importThrough(server, query, counted, signal);
    },
  };
}

/** A pipe is read as it comes: nobody knows how much that will be. */
async function incoming(
  file: string,
  stdin: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<ArchiveBytes> {
  if (file === '-') return { size: undefined, bytes: stdin };
  if (await isPipe(file)) return { size: undefined, bytes: pipeBytes(file, signal) };
  return archiveBytes(file, 'reused');
}

/** By this process, with the store locked. */
async function alone(
  config: Config,
  query: ImportQuery,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<ImportedThere> {
  await using store = await openAlone(config);
  await using hosted = openHosted(() => config, store);
  const importer = new Importer({ store, hosted: hosted.repositories, config: () => config });
  const { images, blobs, bytes: size } = await importer.import(query, bytes, signal);
  return { images, blobs, bytes: size };
}

async function* tally(
  bytes: AsyncIterable<Uint8Array>,
  progress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    progress(chunk.length);
    yield chunk;
  }
}

import { RegistryError } from '../../core/errors.ts';
import { ByteReader } from '../../layer/bytes.ts';
import { isRecord, unknownKey } from '../../core/shape.ts';

/**
 * What becomes of tags that are here and mean something else: one is an error and nothing is imported,
 * they move, or the image is imported and they stay as they are.
 */
export type TagMoves = 'keep' | 'overwrite' | 'spare';

/** What is asked of an import, as people type it. */
export interface ImportQuery {
  /** What people call the archive. */
  readonly name: string;
  /** The text of the lock that it has to match. */
  readonly lock?: string | undefined;
  /** What the image is to be called. */
  readonly as?: string | undefined;
  /** `os/architecture[/variant]`; all that are there when there are none. */
  readonly platforms: readonly string[];
  readonly tags: TagMoves;
}

/** Bytes of the first line: it may hold a lock. */
const LARGEST_QUERY = 40 * 1024 * 1024;
const NEWLINE = 0x0a;

const KEYS = ['name', 'lock', 'as', 'platforms', 'tags'];

/**
 * A line of JSON that says what is wanted, and behind it the archive, read as it comes.
 * @throws RegistryError REQUEST_INVALID
 */
export async function readImportQuery(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly query: ImportQuery; readonly bytes: AsyncIterable<Uint8Array> }> {
  const reader = new ByteReader(chunks);
  const parts: Uint8Array[] = [];
  for (let length = 0; ;) {
    const view = await reader.view(Number.POSITIVE_INFINITY);
    const end = view.indexOf(NEWLINE);
    const part = end < 0 ? view : view.subarray(0, end);
    parts.push(part);
    length += part.length;
    if (length > LARGEST_QUERY || view.length === 0) {
      throw new RegistryError('REQUEST_INVALID', 'the body does not begin with a line of JSON');
    }
    reader.advance(end < 0 ? view.length : end + 1);
    if (end >= 0) break;
  }
  return { query: parseImportQuery(Buffer.concat(parts).toString()), bytes: rest(reader) };
}

async function* rest(reader: ByteReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await reader.view(Number.POSITIVE_INFINITY);
    if (chunk.length === 0) return;
    reader.advance(chunk.length);
    yield chunk;
  }
}

function parseImportQuery(text: string): ImportQuery {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { name, lock, as, platforms = [], tags = 'keep' } = isRecord(value) ? value : {};
  const unknown = isRecord(value) ? unknownKey(value, KEYS) : undefined;
  if (unknown !== undefined) throw new RegistryError('REQUEST_INVALID', unknown);
  const right =
    typeof name === 'string' &&
    (lock === undefined || typeof lock === 'string') &&
    (as === undefined || typeof as === 'string') &&
    Array.isArray(platforms) &&
    platforms.every((one: unknown) => typeof one === 'string') &&
    (tags === 'keep' || tags === 'overwrite' || tags === 'spare');
  if (right) return { name, lock, as, platforms, tags };
  throw new RegistryError(
    'REQUEST_INVALID',
    'the first line of the body: a JSON object with name, and lock, as, platforms, tags if wanted',
  );
}

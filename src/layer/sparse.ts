import type { ByteReader } from './bytes.ts';
import { damaged, truncated } from './damage.ts';
import { parseCount, type PaxFields, type PaxRecords } from './pax.ts';
import { BLOCK, number } from './tar-header.ts';

/** A stretch of a sparse file that is in the archive. What lies between them are holes, that is, zeros. */
export interface Stretch {
  readonly at: number;
  readonly length: number;
}

export interface SparseMap {
  /** Of the file with its holes, in bytes. */
  readonly size: number;
  readonly stretches: readonly Stretch[];
  /** Bytes of the entry's data that the map itself took. */
  readonly taken: number;
}

/** Stretches in a map: with more, the map alone would be larger than 8 MiB. */
const MOST_STRETCHES = 256 * 1024;
const PLACE = 'within the map of a sparse file';

/** GNU's oldest kind (type `S`): up to four stretches in the header, more in blocks after it. */
export async function readOldGnu(header: Uint8Array, input: ByteReader): Promise<SparseMap> {
  const size = numberIn(header, 483);
  const stretches = stretchesIn(header, 386, 4);
  let more = header[482] === 1;
  while (more) {
    const block = await input.take(BLOCK);
    if (block.length < BLOCK) throw truncated(PLACE);
    stretches.push(...stretchesIn(block, 0, 21));
    if (stretches.length > MOST_STRETCHES) throw tooMany();
    more = block[504] === 1;
  }
  return checked({ size, stretches, taken: 0 });
}

/** The kinds that PAX records tell of: 0.0 and 0.1 hold the map, 1.0 says that the data starts with it. */
export async function readPaxSparse(
  own: PaxRecords,
  pax: PaxFields,
  input: ByteReader,
): Promise<SparseMap | undefined> {
  if (pax.text('GNU.sparse.major') === '1') return readMap(pax, input);
  const size = pax.count('GNU.sparse.size');
  if (size === undefined) return undefined;
  const map = pax.text('GNU.sparse.map');
  const numbers =
    map === undefined
      ? own
          .filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
          .map(([, value]) => Buffer.from(value).toString('latin1'))
      : map.split(',').filter((part) => part !== '');
  return checked({ size, stretches: paired(numbers), taken: 0 });
}

/** Version 1.0: decimal numbers, one a line, filled up to whole blocks. */
async function readMap(pax: PaxFields, input: ByteReader): Promise<SparseMap> {
  const size = pax.count('GNU.sparse.realsize');
  if (size === undefined) throw damaged('a sparse file of the archive does not state its size');
  const numbers: string[] = [];
  let [line, taken, wanted] = ['', 0, 1];
  while (numbers.length < wanted) {
    const block = await input.take(BLOCK);
    if (block.length < BLOCK) throw truncated(PLACE);
    taken += BLOCK;
    const lines = (line + Buffer.from(block).toString('latin1')).split('\n');
    line = lines.pop() ?? '';
    if (line.length > BLOCK && numbers.length + lines.length < wanted) throw tooMany();
    for (const text of lines.slice(0, wanted - numbers.length)) numbers.push(text);
    if (wanted === 1 && numbers[0] !== undefined) {
      const count = parseCount(numbers[0], 'sparse map');
      if (count > MOST_STRETCHES) throw tooMany();
      wanted = 1 + 2 * count;
      for (const text of lines.slice(1, wanted)) numbers.push(text);
    }
  }
  return checked({ size, stretches: paired(numbers.slice(1)), taken });
}

function stretchesIn(block: Uint8Array, start: number, most: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let index = 0; index < most; index += 1) {
    const at = start + index * 24;
    if (block[at] === 0) break;
    stretches.push({ at: numberIn(block, at), length: numberIn(block, at + 12) });
  }
  return stretches;
}

function numberIn(block: Uint8Array, at: number): number {
  const value = number(block, [at, 12]);
  if (value !== undefined && value >= 0) return value;
  throw damaged('a sparse file of the archive has an impossible map');
}

function paired(numbers: readonly string[]): Stretch[] {
  if (numbers.length % 2 !== 0) throw damaged('a sparse file of the archive has half a map');
  if (numbers.length > 2 * MOST_STRETCHES) throw tooMany();
  const counts = numbers.map((digits) => parseCount(digits, 'sparse map'));
  return counts.flatMap((at, index) =>
    index % 2 === 0 ? [{ at, length: counts[index + 1] ?? 0 }] : [],
  );
}

function checked(map: SparseMap): SparseMap {
  let end = 0;
  for (const { at, length } of map.stretches) {
    if (at < end || at + length > map.size) {
      throw damaged('a sparse file of the archive has a map that contradicts itself');
    }
    end = at + length;
  }
  return map;
}

function tooMany(): Error {
  return damaged('a sparse file of the archive has a map that is too large');
}

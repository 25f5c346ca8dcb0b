import { ByteReader, type Bytes } from './bytes.ts';
import { damaged, truncated } from './damage.ts';
import { PaxFields, parsePax, type PaxRecords } from './pax.ts';
import { readOldGnu, readPaxSparse, type SparseMap } from './sparse.ts';
import { factsOf, type LongNames, type TarEntry } from './tar-entry.ts';
import { TarContent } from './tar-content.ts';
import { BLOCK, isZero, parseHeader, type TarHeader } from './tar-header.ts';

/** Bytes that a long name or an extended header may have. */
const LONGEST_RECORD = 8 * 1024 * 1024;

/** What came ahead of an entry. */
interface Ahead {
  long: LongNames;
  own: PaxRecords;
}

/**
 * The entries of a tar archive as they come: v7, ustar, PAX, GNU, sparse files. The content of an
 * entry is read before the next one is asked for, or passed over. Ends at the first block of zeros,
 * or where an archive ends without; what follows is not looked at.
 * @throws RegistryError LAYER_INVALID for what is no archive, or damaged, or ends within an entry
 */
export async function* walkTar(bytes: Bytes): AsyncGenerator<TarEntry, void, undefined> {
  await using input = new ByteReader(bytes);
  let global: PaxRecords = [];
  let ahead: Ahead = { long: {}, own: [] };
  for (;;) {
    const offset = input.position;
    const block = Uint8Array.from(await input.take(BLOCK));
    const expected =
      ahead.own.length > 0 || ahead.long.name !== undefined || ahead.long.link !== undefined;
    if (block.length === BLOCK && isZero(block)) return;
    if (block.length === 0 && !expected) return;
    if (block.length < BLOCK) throw truncated(`within the header at byte ${offset}`);
    const header = parseHeader(block, offset);
    switch (header.type) {
      case 'g':
        global = newest([...global, ...parsePax(await record(input, header))]);
        break;
      case 'x':
      case 'X':
        ahead.own = parsePax(await record(input, header));
        break;
      case 'L':
        ahead.long = { ...ahead.long, name: ended(await record(input, header)) };
        break;
      case 'K':
        ahead.long = { ...ahead.long, link: ended(await record(input, header)) };
        break;
      case 'V':
        await pass(input, header.size);
        break;
      default:
        yield* entry(input, block, header, ahead, global);
        ahead = { long: {}, own: [] };
    }
  }
}

async function* entry(
  input: ByteReader,
  block: Uint8Array,
  header: TarHeader,
  { long, own }: Ahead,
  global: PaxRecords,
): AsyncGenerator<TarEntry, void, undefined> {
  const pax = new PaxFields(global, own);
  // A sparse file's PAX size counts what is stored, and its old GNU header what follows the map.
  const declared = pax.count('size') ?? header.size;
  const stored = holdsData(header) ? declared : 0;
  const map =
    header.type === 'S' && header.format !== 'ustar'
      ? await readOldGnu(block, input)
      : await readPaxSparse(own, pax, input);
  const facts = factsOf(header, long, pax, map?.size ?? stored);
  const content = new TarContent(input, facts.name, sized(map, stored));
  yield {
    ...facts,
    offset: input.position,
    stored: content.left,
    parts: () => content.parts(),
    content: () => content.bytes(),
  };
  await content.pass();
}

/** The stretches of a file's data, those of an ordinary one being all of it. */
function sized(map: SparseMap | undefined, declared: number) {
  if (map === undefined) {
    return { size: declared, stored: declared, stretches: [{ at: 0, length: declared }] };
  }
  const stored = declared - map.taken;
  const mapped = map.stretches.reduce((sum, { length }) => sum + length, 0);
  if (mapped > stored) {
    throw damaged('a sparse file of the archive has a map that is larger than its data');
  }
  return { size: map.size, stored, stretches: map.stretches };
}

/** Links, directories, devices and fifos have no data, whatever size they state: Go and Python read them so. */
function holdsData({ type }: TarHeader): boolean {
  return !['1', '2', '3', '4', '5', '6'].includes(type);
}

async function record(input: ByteReader, { size }: TarHeader): Promise<Uint8Array> {
  if (size > LONGEST_RECORD) {
    throw damaged(`the archive has an extended header of ${size} bytes, more than any name needs`);
  }
  const padded = Math.ceil(size / BLOCK) * BLOCK;
  const bytes = await input.take(padded);
  if (bytes.length < padded) throw truncated('within an extended header');
  return Uint8Array.from(bytes.subarray(0, size));
}

async function pass(input: ByteReader, size: number): Promise<void> {
  const padded = Math.ceil(size / BLOCK) * BLOCK;
  if ((await input.skip(padded)) < padded) throw truncated('within a volume label');
}

function ended(name: Uint8Array): Uint8Array {
  const end = name.indexOf(0);
  return end < 0 ? name : name.subarray(0, end);
}

/** Global records override earlier ones: kept as many as there are keywords. */
function newest(records: PaxRecords): PaxRecords {
  return [...new Map(records)];
}

import { damaged } from './damage.ts';

export const BLOCK = 512;

/** The fields of one header block as they stand there, before extended headers are applied. */
export interface TarHeader {
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow, as far as the type has any. */
  readonly size: number;
  /** Seconds since 1970, which may be negative. */
  readonly mtime: number;
  readonly type: string;
  readonly link: Uint8Array;
  readonly user: Uint8Array;
  readonly group: Uint8Array;
  readonly major: number;
  readonly minor: number;
  /** `v7` is everything older than ustar. */
  readonly format: 'ustar' | 'gnu' | 'v7';
}

/** Where a field is, and how long. */
type Field = readonly [at: number, length: number];

const CHECKSUM: Field = [148, 8];

/** @throws RegistryError LAYER_INVALID for a block that is not a header */
export function parseHeader(block: Uint8Array, offset: number): TarHeader {
  const fail = (what: string): Error =>
    damaged(`not a tar archive, or a damaged one: ${what} in the header at byte ${offset}`);
  if (!sums(block).includes(number(block, CHECKSUM) ?? -1)) throw fail('a wrong checksum');
  const count = (field: Field, what: string): number => {
    const value = number(block, field);
    if (value !== undefined && value >= 0) return value;
    throw fail(`an impossible ${what}`);
  };
  const format = formatOf(block);
  const plain = format === 'v7';
  const prefix = format === 'ustar' ? text(block, [345, 155]) : new Uint8Array();
  const name = text(block, [0, 100]);
  const mtime = number(block, [136, 12]);
  if (mtime === undefined) throw fail('an impossible time');
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    mode: count([100, 8], 'mode') & 0o7777,
    uid: count([108, 8], 'user'),
    gid: count([116, 8], 'group'),
    size: count([124, 12], 'size'),
    mtime,
    type: String.fromCharCode(block[156] ?? 0),
    link: text(block, [157, 100]),
    user: plain ? new Uint8Array() : text(block, [265, 32]),
    group: plain ? new Uint8Array() : text(block, [297, 32]),
    major: plain ? 0 : count([329, 8], 'device'),
    minor: plain ? 0 : count([337, 8], 'device'),
    format,
  };
}

export function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** The bytes up to the first zero. */
export function text(block: Uint8Array, [at, length]: Field): Uint8Array {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return Uint8Array.from(end < 0 ? field : field.subarray(0, end));
}

/**
 * Octal digits, or with the highest bit set a binary number (base-256), which may be negative.
 * `undefined` for anything else, and for what JavaScript cannot count exactly.
 */
export function number(block: Uint8Array, [at, length]: Field): number | undefined {
  const field = block.subarray(at, at + length);
  const [first = 0] = field;
  if ((first & 0x80) !== 0) return binary(field);
  const digits = Buffer.from(field).toString('latin1').replaceAll('\0', ' ').trim();
  if (digits === '') return 0;
  // What stands after the end of the digits is what an earlier header left in a writer's buffer.
  const match = /^[0-7]+(?=$| )/.exec(digits);
  const value = match === null ? Number.NaN : Number.parseInt(match[0], 8);
  return Number.isSafeInteger(value) ? value : undefined;
}

function binary(field: Uint8Array): number | undefined {
  const [first = 0] = field;
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? first | -0x80 : first & 0x7f);
  for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
  const result = Number(value);
  return Number.isSafeInteger(result) ? result : undefined;
}

/** As POSIX sums the block, and as some old programs do, with signed bytes; the field itself counts as spaces. */
function sums(block: Uint8Array): readonly [unsigned: number, signed: number] {
  const [from, length] = CHECKSUM;
  let [unsigned, signed] = [0, 0];
  for (let at = 0; at < block.length; at += 1) {
    const byte = at >= from && at < from + length ? 0x20 : (block[at] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return [unsigned, signed];
}

function formatOf(block: Uint8Array): TarHeader['format'] {
  const magic = Buffer.from(block.subarray(257, 265)).toString('latin1');
  if (magic.startsWith('ustar ')) return 'gnu';
  return magic.startsWith('ustar') ? 'ustar' : 'v7';
}

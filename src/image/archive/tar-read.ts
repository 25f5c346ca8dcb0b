import { RegistryError } from '../../core/errors.ts';
import type { Content } from './content.ts';
import { bytesOf } from './content.ts';
import { BLOCK, padding } from './tar-write.ts';

/** One file of a tar, and where in it its bytes are. */
export interface TarMember {
  readonly name: string;
  readonly kind: 'file' | 'symlink' | 'hardlink' | 'other';
  /** Of a link. */
  readonly target: string;
  /** Of its first byte. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** What extended headers say of the file behind them. */
type Overrides = Partial<Record<'path' | 'linkpath' | 'size', string>>;

/** Bytes of an extended header: names, never content. */
const LARGEST_EXTENSION = 1024 * 1024;

/**
 * The files of a plain tar (ustar, pax, GNU), reading headers only.
 * @throws RegistryError MANIFEST_INVALID where it is none or ends too early
 */
export async function* tarEntries(content: Content, place: string): AsyncGenerator<TarMember> {
  let overrides: Overrides = {};
  for (let position = 0; position < content.size;) {
    const block = await headerAt(content, position, place);
    if (block === undefined) return;
    const header = parse(block, place, overrides);
    const offset = position + BLOCK;
    const end = offset + header.size;
    if (end > content.size) {
      throw invalid(
        place,
        `it ends within ${header.name}: ${end - content.size} bytes are missing`,
      );
    }
    position = end + padding(header.size);
    const extension = EXTENSIONS[header.type];
    if (extension === undefined) {
      overrides = {};
      yield {
        name: header.name,
        kind: kindOf(header.type),
        target: header.target,
        offset,
        size: header.size,
      };
    } else {
      const bytes = await bytesOf(within(content, offset, header.size), LARGEST_EXTENSION, place);
      overrides = { ...overrides, ...extension(bytes) };
    }
  }
}

const EXTENSIONS: Readonly<Record<string, (bytes: Buffer) => Overrides>> = {
  x: paxRecords,
  g: () => ({}),
  L: (bytes) => ({ path: textUntilZero(bytes) }),
  K: (bytes) => ({ linkpath: textUntilZero(bytes) }),
};

function within(content: Content, offset: number, size: number): Content {
  return {
    size,
    read: (position, into) => content.read(offset + position, into),
    async [Symbol.asyncDispose]() {},
  };
}

/** `undefined` for the zeros that end a tar. */
async function headerAt(
  content: Content,
  position: number,
  place: string,
): Promise<Buffer | undefined> {
  if (position + BLOCK > content.size) throw invalid(place, 'it ends within a header');
  const block = await bytesOf(within(content, position, BLOCK), BLOCK, place);
  return block.every((byte) => byte === 0) ? undefined : block;
}

interface Header {
  readonly name: string;
  readonly target: string;
  readonly size: number;
  readonly type: string;
}

function parse(block: Buffer, place: string, overrides: Overrides): Header {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (number(block, 148, 8) !== sum) throw invalid(place, 'a header has the wrong checksum');
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const size = overrides.size === undefined ? number(block, 124, 12) : Number(overrides.size);
  const type = String.fromCharCode(block[156] ?? 0);
  // Links have no bytes, whatever size old programs gave them.
  const bytes = type === '1' || type === '2' ? 0 : size;
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw invalid(place, `${name} has no size`);
  return {
    name: overrides.path ?? (prefix === '' ? name : `${prefix}/${name}`),
    target: overrides.linkpath ?? text(block, 157, 100),
    size: bytes,
    type,
  };
}

function kindOf(type: string): TarMember['kind'] {
  switch (type) {
    case '0':
    case '7':
    case '\0':
      return 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    default:
      return 'other';
  }
}

/** Octal, or GNU's base 256 for numbers that have no room as such. */
function number(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if (first === 0x80)
    return Number(BigInt(`0x${block.toString('hex', offset + 1, offset + length)}`));
  const digits = text(block, offset, length).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

function text(block: Buffer, offset: number, length: number): string {
  return textUntilZero(block.subarray(offset, offset + length));
}

function textUntilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

function paxRecords(bytes: Buffer): Overrides {
  const found: Overrides = {};
  for (let position = 0; position < bytes.length;) {
    const space = bytes.indexOf(0x20, position);
    const length = Number(bytes.toString('latin1', position, Math.max(position, space)));
    if (!Number.isSafeInteger(length) || length <= 0) break;
    const record = bytes.toString('utf8', space + 1, position + length - 1);
    const equals = record.indexOf('=');
    const key = record.slice(0, equals);
    if (key === 'path' || key === 'linkpath' || key === 'size')
      found[key] = record.slice(equals + 1);
    position += length;
  }
  return found;
}

function invalid(place: string, why: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `${place} is not a whole tar: ${why}`);
}

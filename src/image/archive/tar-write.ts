/** A file or a folder on its way into a tar. */
export interface TarEntry {
  /** `/` between its parts, and behind a folder's. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Who may do what with it, as numbers of three bits; 755 for folders and 644 for files when left out. */
  readonly mode?: number;
}

export const BLOCK = 512;

/** What ends a tar: two blocks of zeros. */
export const TRAILER = Buffer.alloc(2 * BLOCK);

const LONGEST_NAME = 100;
const LARGEST_OCTAL = 0o77777777777;

/**
 * The blocks in front of an entry's bytes (POSIX.1-2017 pax, "ustar Interchange Format"), with an
 * extended header for names of more than 100 bytes and for sizes of 8 GiB and more. Owner and time
 * are zero, so that equal content makes equal archives.
 */
export function tarHeader({ name, size, mode }: TarEntry): Buffer {
  const records = [
    ...(Buffer.byteLength(name) > LONGEST_NAME ? [paxRecord('path', name)] : []),
    ...(size > LARGEST_OCTAL ? [paxRecord('size', String(size))] : []),
  ];
  const type = name.endsWith('/') ? '5' : '0';
  const own = ustar(name, size > LARGEST_OCTAL ? 0 : size, type, mode);
  if (records.length === 0) return own;
  const pax = Buffer.concat(records);
  return Buffer.concat([
    ustar('pax', pax.length, 'x'),
    pax,
    Buffer.alloc(padding(pax.length)),
    own,
  ]);
}

/** Bytes to the next full block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function ustar(name: string, size: number, type: string, mode?: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  Buffer.from(name).copy(header, 0, 0, LONGEST_NAME);
  octal(header, mode ?? (type === '5' ? 0o755 : 0o644), 100, 8);
  octal(header, 0, 108, 8);
  octal(header, 0, 116, 8);
  octal(header, size, 124, 12);
  octal(header, 0, 136, 12);
  header.fill(' ', 148, 156);
  header.write(type, 156);
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function octal(header: Buffer, value: number, offset: number, length: number): void {
  header.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
}

/** `length key=value\n`, where the length counts its own digits too. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length += 1;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

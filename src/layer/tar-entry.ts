import { damaged } from './damage.ts';
import { decodeName } from './name.ts';
import type { PaxFields } from './pax.ts';
import type { TarHeader } from './tar-header.ts';

export type TarType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo';

/** Bytes of a file, or how many zeros come next: a hole. */
export type Part = Uint8Array | number;

/** What an archive says of a file. Names are text as `decodeName` makes it. */
export interface TarFacts {
  /** As it stands in the archive: it may be absolute, or lead anywhere. */
  readonly name: string;
  readonly type: TarType;
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Of the file, holes included, in bytes; 0 for what is not a file. */
  readonly size: number;
  /** Seconds since 1970, with a fraction; may be negative. */
  readonly mtime: number;
  /** What a link points to: for a hard link, another name of the archive. */
  readonly link: string | undefined;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** One entry of an archive that is being walked. */
export interface TarEntry extends TarFacts {
  /** Where its data starts in the archive, and how many bytes of it there are. */
  readonly offset: number;
  readonly stored: number;
  /** The file's bytes, holes told as such. Read once, before the next entry is asked for. */
  parts(): AsyncIterable<Part>;
  /** The file's bytes, holes as zeros; the same as `parts` otherwise. */
  content(): AsyncIterable<Uint8Array>;
}

/** Names that came in headers of their own, GNU's way. */
export interface LongNames {
  readonly name?: Uint8Array;
  readonly link?: Uint8Array;
}

/** The type; `file` for types nobody knows, as POSIX has it. */
export function typeOf(flag: string, name: Uint8Array): TarType {
  switch (flag) {
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '3':
      return 'character';
    case '4':
      return 'block';
    case '5':
    case 'D':
      return 'directory';
    case '6':
      return 'fifo';
    default:
      // Before ustar there was no type for a directory.
      return (flag === '0' || flag === '\0') && name.at(-1) === 0x2f ? 'directory' : 'file';
  }
}

/** Header, GNU's long names and PAX records as one. `size` is that of a file. */
export function factsOf(
  header: TarHeader,
  long: LongNames,
  pax: PaxFields,
  size: number,
): TarFacts {
  const name = pax.bytes('GNU.sparse.name') ?? pax.bytes('path') ?? long.name ?? header.name;
  if (name.includes(0)) throw damaged('a name in the archive contains a zero byte');
  const type = typeOf(header.type, name);
  const link = pax.bytes('linkpath') ?? long.link ?? header.link;
  return {
    name: decodeName(name),
    type,
    mode: header.mode,
    uid: pax.count('uid') ?? header.uid,
    gid: pax.count('gid') ?? header.gid,
    user: decodeName(pax.bytes('uname') ?? header.user),
    group: decodeName(pax.bytes('gname') ?? header.group),
    size: type === 'file' ? size : 0,
    mtime: pax.time('mtime') ?? header.mtime,
    link: type === 'symlink' || type === 'hardlink' ? decodeName(link) : undefined,
    device:
      type === 'character' || type === 'block'
        ? { major: header.major, minor: header.minor }
        : undefined,
    xattrs: new Map(pax.startingWith('SCHILY.xattr.')),
  };
}

import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { TarFacts, TarType } from '../../layer/tar-entry.ts';
import { baseOf, joined, parentOf, pathOf, type ImagePath } from './path.ts';

/** `whiteout`: the path is deleted from the layers below. `opaque`: everything below the path is. */
export type FileType = TarType | 'whiteout' | 'opaque';

/** What became of an entry: a layer above put something else in its place, or took it away. */
export interface Fate {
  readonly how: 'overwritten' | 'deleted';
  readonly layer: number;
}

export interface LayerRef {
  /** Counted from 0, the base. */
  readonly index: number;
  readonly digest: Digest;
}

/** One entry of a layer. Text and numbers only: as JSON it is the same. */
export interface FileEntry {
  readonly path: ImagePath;
  readonly type: FileType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Bytes; holes of sparse files included. */
  readonly size: number;
  /** Seconds since 1970, with a fraction; may be negative. */
  readonly mtime: number;
  /** A symbolic link's target as it stands there; a hard link's as a path of the image. */
  readonly link?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  /** Extended attributes by name, such as `security.capability`; their values in base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly layer: LayerRef;
  /** A folder that no layer has an entry for: it is there because something is in it. */
  readonly implicit?: true;
  /** Replaces an entry of the same path that the same layer had before. */
  readonly repeated?: true;
  /** Absent for what a container sees. */
  readonly fate?: Fate;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** An entry of an archive as one of the image (image-spec layer.md, "Representing Changes"). */
export function fileEntry(facts: TarFacts, layer: LayerRef): FileEntry {
  const path = pathOf(facts.name);
  const [folder, base] = [parentOf(path), baseOf(path)];
  const { mode, uid, gid, user, group, size, mtime, link, device } = facts;
  const common = { mode, uid, gid, user, group, mtime, layer };
  if (base === OPAQUE) return { path: folder, type: 'opaque', size: 0, ...common };
  if (base.startsWith(WHITEOUT) && base.length > WHITEOUT.length) {
    const hidden = joined(folder, base.slice(WHITEOUT.length));
    return { path: hidden, type: 'whiteout', size: 0, ...common };
  }
  return {
    path,
    type: facts.type,
    size,
    ...common,
    ...(link !== undefined && { link: facts.type === 'hardlink' ? pathOf(link) : link }),
    ...(device !== undefined && { device }),
    ...(facts.xattrs.size > 0 && { xattrs: textOf(facts.xattrs) }),
  };
}

function textOf(xattrs: TarFacts['xattrs']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  );
}

/** A folder that is only implied: what container runtimes make of it. */
export function implicitFolder(path: ImagePath, layer: LayerRef): FileEntry {
  return {
    path,
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    size: 0,
    mtime: 0,
    layer,
    implicit: true,
  };
}

export function layerRef(layers: readonly Descriptor[], index: number): LayerRef {
  const digest = layers[index]?.digest;
  if (digest === undefined) throw new Error(`no layer ${index}`);
  return { index, digest };
}

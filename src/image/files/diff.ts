import type { Descriptor } from '../../core/descriptor.ts';
import type { ImageManifest } from '../../core/image-manifest.ts';
import type { Repository } from '../../core/reference.ts';
import type { Source } from '../../core/source.ts';
import { diffConfigs, type ConfigChange } from './diff-config.ts';
import { DiffSide, type FileRecord } from './diff-side.ts';
import { fileEntry, layerRef, type FileEntry } from './file-entry.ts';
import type { ImageLayers, ReadOptions } from './image-layers.ts';
import { LayerReader } from './layer-reader.ts';
import type { ImagePath } from './path.ts';

/** One of the two images that are compared. */
export interface Compared {
  readonly source: Source;
  readonly repository: Repository;
  readonly manifest: ImageManifest;
  /** The image config as parsed JSON. */
  readonly config: unknown;
}

/** In what two files of one path differ. Times do not count: every build has new ones. */
export type Difference =
  | 'type'
  | 'mode'
  | 'owner'
  | 'size'
  | 'link'
  | 'device'
  | 'xattrs'
  | 'content';

export type FileChange =
  | { readonly kind: 'added'; readonly path: ImagePath; readonly after: FileEntry }
  | { readonly kind: 'removed'; readonly path: ImagePath; readonly before: FileEntry }
  | {
      readonly kind: 'changed';
      readonly path: ImagePath;
      readonly before: FileEntry;
      readonly after: FileEntry;
      readonly what: readonly Difference[];
    };

export interface LayerChanges {
  /** Layers at the bottom that are the same. */
  readonly common: readonly Descriptor[];
  readonly removed: readonly Descriptor[];
  readonly added: readonly Descriptor[];
}

export interface ImageDiff {
  readonly config: readonly ConfigChange[];
  readonly layers: LayerChanges;
  /** By path. */
  readonly files: readonly FileChange[];
}

/**
 * What sets the second image apart from the first. Layers at the bottom that both have are not read
 * when that is all there is; otherwise once, for names, since only they tell an added file from a changed one; of
 * their contents only what one of the images replaced is looked at.
 */
export async function diffImages(
  before: Compared,
  after: Compared,
  options: ReadOptions = {},
): Promise<ImageDiff> {
  const layers = diffLayers(before.manifest.layers, after.manifest.layers);
  return {
    config: diffConfigs(before.config, after.config),
    layers,
    files: await diffFiles(layersOf(before), layersOf(after), layers.common.length, options),
  };
}

function diffLayers(before: readonly Descriptor[], after: readonly Descriptor[]): LayerChanges {
  const differing = before.findIndex(({ digest }, index) => after[index]?.digest !== digest);
  const common = differing < 0 ? before.length : differing;
  return {
    common: before.slice(0, common),
    removed: before.slice(common),
    added: after.slice(common),
  };
}

async function diffFiles(
  before: ImageLayers,
  after: ImageLayers,
  common: number,
  options: ReadOptions,
): Promise<FileChange[]> {
  if (before.layers.length === common && after.layers.length === common) return [];
  const sides = [new DiffSide(), new DiffSide()] as const;
  for (const [side, image] of [
    [sides[0], before],
    [sides[1], after],
  ] as const) {
    for (let index = image.layers.length - 1; index >= common; index -= 1) {
      await readLayer(image, index, [side], options);
    }
  }
  for (let index = common - 1; index >= 0; index -= 1) {
    await readLayer(before, index, sides, options);
  }
  return compared(sides[0].finish(), sides[1].finish());
}

/** Gives a layer's entries to those who have it; what all of them see is the same in all of them. */
async function readLayer(
  image: ImageLayers,
  index: number,
  sides: readonly DiffSide[],
  options: ReadOptions,
): Promise<void> {
  await using reader = new LayerReader(
    image,
    index,
    sides.length > 1 ? 'stream' : 'verified',
    options,
  );
  const layer = layerRef(image.layers, index);
  for await (const archived of reader.entries()) {
    const entry = fileEntry(archived, layer);
    const seeing = sides.filter((side) => side.sees(entry));
    if (sides.length > 1 && seeing.length === sides.length) continue;
    for (const side of seeing) await side.record(entry, () => reader.parts(archived));
  }
}

function compared(
  before: ReadonlyMap<ImagePath, FileRecord>,
  after: ReadonlyMap<ImagePath, FileRecord>,
): FileChange[] {
  const changes: FileChange[] = [];
  for (const path of [...new Set([...before.keys(), ...after.keys()])].toSorted()) {
    const [old, young] = [before.get(path), after.get(path)];
    if (old === undefined && young !== undefined) {
      changes.push({ kind: 'added', path, after: young.entry });
    } else if (old !== undefined && young === undefined) {
      changes.push({ kind: 'removed', path, before: old.entry });
    } else if (old !== undefined && young !== undefined) {
      const what = differences(old, young);
      if (what.length === 0) continue;
      changes.push({ kind: 'changed', path, before: old.entry, after: young.entry, what });
    }
  }
  return changes;
}

function differences(a: FileRecord, b: FileRecord): Difference[] {
  const pairs: readonly (readonly [Difference, unknown, unknown])[] = [
    ['type', a.entry.type, b.entry.type],
    ['mode', a.entry.mode, b.entry.mode],
    ['owner', `${a.entry.uid}:${a.entry.gid}`, `${b.entry.uid}:${b.entry.gid}`],
    ['size', a.entry.size, b.entry.size],
    ['link', a.entry.link, b.entry.link],
    ['device', a.entry.device?.major, b.entry.device?.major],
    ['device', a.entry.device?.minor, b.entry.device?.minor],
    ['xattrs', xattrsOf(a), xattrsOf(b)],
    ['content', a.content, b.content],
  ];
  return [...new Set(pairs.flatMap(([what, one, other]) => (one === other ? [] : [what])))];
}

function xattrsOf({ entry }: FileRecord): string {
  const { xattrs = {} } = entry;
  const names = Object.keys(xattrs).toSorted();
  return JSON.stringify(names.map((name) => [name, xattrs[name]]));
}

function layersOf({ source, repository, manifest }: Compared): ImageLayers {
  return { source, repository, layers: manifest.layers };
}

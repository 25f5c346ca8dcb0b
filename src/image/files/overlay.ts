import type { Fate, FileEntry, LayerRef } from './file-entry.ts';
import { ancestorsOf, type ImagePath } from './path.ts';

/** A mark that a layer left, and the one that a layer above it had left before. */
interface Mark extends Fate {
  readonly above: Mark | undefined;
}

/** What became of an entry, and whether it takes the place of one in the same layer. */
export interface Standing {
  readonly fate: Fate | undefined;
  readonly repeated: boolean;
}

/** What the layers so far have said of a path. */
interface Place {
  /** Something stands here: hides what lower layers have here. */
  here?: Mark;
  /** What stands here is no folder, or one that was emptied: hides what lower layers have below. */
  below?: Mark;
  /** Something stands below: hides what is no folder here. */
  implied?: Mark;
  /** By which layer the path was seen by a container first, explicitly. */
  seenIn?: number;
  impliedBy?: LayerRef;
}

/**
 * The layers of an image laid over each other, the newest first: what a layer says is final the moment it
 * is read, since only newer ones could hide it (image-spec layer.md, "Applying Changesets"). Whiteouts
 * act on the layers below theirs alone, wherever they stand in their own. Keeps names, no bytes.
 */
export class Overlay {
  readonly #places = new Map<ImagePath, Place>();

  /**
   * Takes the next entry; layers come newest first, each in its own order. Returns what became of the
   * entry: no fate for one that a container sees. Of no meaning for whiteouts.
   */
  add({ path, type, layer }: FileEntry): Standing {
    const { index } = layer;
    const place = this.#place(path);
    const covered = this.#covered(path, index);
    const hides = [covered, above(place.here, index)];
    if (type !== 'directory') hides.push(above(place.implied, index));
    const fate = hides.reduce(nearest, undefined);
    const repeated = fate === undefined && place.seenIn === index;
    // The root is a folder, whatever an archive says.
    if (path !== '' || type === 'opaque') this.#mark(place, type, index);
    this.#imply(ancestorsOf(path), layer, covered);
    if (type === 'opaque') this.#imply([path], layer, fate);
    if (fate === undefined && type !== 'whiteout' && type !== 'opaque') place.seenIn = index;
    return { fate: fate && { how: fate.how, layer: fate.layer }, repeated };
  }

  /** Whether nothing that layers below this one have at the path, or below it, can be seen. */
  closes(path: ImagePath, index: number): boolean {
    return this.#covered(`${path}/`, index - 1) !== undefined;
  }

  /** After the last layer: folders that are there only because something is in them. */
  *implicit(): Generator<readonly [ImagePath, LayerRef], void, undefined> {
    for (const [path, { seenIn, impliedBy }] of this.#places) {
      if (seenIn === undefined && impliedBy !== undefined && path !== '') yield [path, impliedBy];
    }
  }

  #mark(place: Place, type: FileEntry['type'], index: number): void {
    const how = type === 'whiteout' || type === 'opaque' ? 'deleted' : 'overwritten';
    if (type !== 'opaque') place.here = marked(place.here, how, index);
    if (type !== 'directory') place.below = marked(place.below, how, index);
  }

  /** Whatever stands somewhere makes folders of all that is above it; they are seen unless covered. */
  #imply(folders: readonly ImagePath[], layer: LayerRef, covered: Fate | undefined): void {
    for (const folder of folders) {
      const place = this.#place(folder);
      place.implied = marked(place.implied, 'overwritten', layer.index);
      if (covered === undefined) place.impliedBy ??= layer;
    }
  }

  /** The mark of the nearest layer above that hides all that is below some folder of the path. */
  #covered(path: ImagePath, index: number): Mark | undefined {
    return ancestorsOf(path)
      .map((folder) => above(this.#places.get(folder)?.below, index))
      .reduce(nearest, undefined);
  }

  #place(path: ImagePath): Place {
    const known = this.#places.get(path);
    if (known !== undefined) return known;
    const place: Place = {};
    this.#places.set(path, place);
    return place;
  }
}

/** The mark as the layers above this one left it. */
function above(mark: Mark | undefined, index: number): Mark | undefined {
  return mark === undefined || mark.layer > index ? mark : mark.above;
}

function marked(before: Mark | undefined, how: Fate['how'], layer: number): Mark {
  const earlier = before?.layer === layer ? before.above : before;
  const kept = before?.layer === layer && before.how === 'overwritten' ? 'overwritten' : how;
  return { how: kept, layer, above: earlier };
}

function nearest(a: Mark | undefined, b: Mark | undefined): Mark | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.layer < a.layer ? b : a;
}

import { RegistryError } from '../../core/errors.ts';
import { printableName } from '../../layer/name.ts';
import { implicitFolder, type FileEntry } from './file-entry.ts';
import type { ImageLayers, ReadOptions } from './image-layers.ts';
import { LayerScan, type Said } from './layer-scan.ts';
import { ancestorsOf, isWithin, joined, parentOf, type ImagePath } from './path.ts';

/** Where the name was found, links followed. */
export interface Found {
  readonly entry: FileEntry;
  /** Which entry of its layer's archive; `undefined` for a folder that is only implied. */
  readonly ordinal: number | undefined;
}

/** As many as Linux follows. */
const MOST_LINKS = 40;

type Step =
  | { readonly kind: 'found'; readonly found: Found }
  | { readonly kind: 'link'; readonly at: FileEntry }
  | { readonly kind: 'nothing'; readonly why: string };

/** What the layers above have settled of the folders on a path, and of the path itself. */
interface Settled {
  /** Paths at which a layer above has a folder, with the layer that implies it. */
  readonly folders: Map<ImagePath, number>;
}

/**
 * Finds paths in an image, newest layer first, reading each layer no further than needed and for its
 * names only once, whatever is looked for. Kept open for as long as what was found is being read.
 */
export class Lookup implements AsyncDisposable {
  readonly #image: ImageLayers;
  readonly #options: ReadOptions;
  readonly #scans = new Map<number, LayerScan>();

  constructor(image: ImageLayers, options: ReadOptions = {}) {
    this.#image = image;
    this.#options = options;
  }

  /**
   * The entry that a container made of the layers up to `top` has at the path; symbolic links are
   * followed in folders and, with `follow`, at the end; `..` ends at the root.
   * @throws RegistryError FILE_UNKNOWN when there is none, or links lead in a circle
   */
  async find(path: string, top: number, last: 'follow' | 'keep' = 'follow'): Promise<Found> {
    let [done, left]: [ImagePath, string[]] = ['', path.split('/')];
    for (let links = 0; links <= MOST_LINKS;) {
      const walk = normalized(done, left);
      const step = await this.#look(walk.path, top);
      if (step.kind === 'nothing') throw unknown(path, walk.path, step.why);
      const rest = walk.rest;
      if (step.kind === 'found' && rest.length === 0) {
        if (step.found.entry.type !== 'symlink' || last === 'keep') return step.found;
      }
      if (step.kind === 'found' && step.found.entry.type !== 'symlink') {
        if (step.found.entry.type !== 'directory')
          throw unknown(path, walk.path, 'it is no folder');
        [done, left] = [walk.path, [...rest]];
        continue;
      }
      links += 1;
      const at = step.kind === 'link' ? step.at : step.found.entry;
      const target = at.link ?? '';
      const below = walk.path.slice(at.path.length).split('/');
      done = target.startsWith('/') ? '' : parentOf(at.path);
      left = [...target.split('/'), ...below, ...rest];
    }
    throw new RegistryError(
      'FILE_UNKNOWN',
      `${printableName(path)}: symbolic links lead in a circle, or more than ${MOST_LINKS} after each other`,
    );
  }

  /** What one layer alone has at exactly this path. @throws RegistryError FILE_UNKNOWN */
  async findIn(path: ImagePath, index: number): Promise<Found> {
    const scan = this.scan(index);
    for (;;) {
      const said = scan.said(path);
      if (said?.entry !== undefined) return { entry: said.entry, ordinal: said.ordinal };
      if ((await scan.next()) === undefined) break;
    }
    throw unknown(path, path, `layer ${index} has no such entry`);
  }

  /** The scan of a layer, started on first use. */
  scan(index: number): LayerScan {
    const known = this.#scans.get(index);
    if (known !== undefined) return known;
    const scan = new LayerScan(this.#image, index, this.#options);
    this.#scans.set(index, scan);
    return scan;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const scan of this.#scans.values()) await scan[Symbol.asyncDispose]();
  }

  /** Looks for the path as it is, stopping at the first link on it. */
  async #look(path: ImagePath, top: number): Promise<Step> {
    const settled: Settled = { folders: new Map() };
    for (let index = top; index >= 0; index -= 1) {
      const scan = this.scan(index);
      let step = decide(scan, path, settled);
      while (step === undefined && (await this.#advance(scan, path))) {
        step = decide(scan, path, settled);
      }
      if (step !== undefined) return step;
      const why = hidden(scan, path, settled);
      for (const one of [...ancestorsOf(path), path]) {
        if (standsAsFolder(scan.said(one))) settled.folders.set(one, index);
      }
      if (why !== undefined) return this.#folder(path, settled) ?? { kind: 'nothing', why };
    }
    return this.#folder(path, settled) ?? { kind: 'nothing', why: 'no layer has it' };
  }

  /** Reads on until something that may matter has been read. `false` at the end. */
  async #advance(scan: LayerScan, path: ImagePath): Promise<boolean> {
    for (;;) {
      const next = await scan.next();
      if (next === undefined) return false;
      if (isWithin(path, next.entry.path)) return true;
    }
  }

  /** The path as a folder that no layer has an entry for. */
  #folder(path: ImagePath, { folders }: Settled): Step | undefined {
    const index = path === '' ? 0 : folders.get(path);
    if (index === undefined || this.#image.layers.length === 0) return undefined;
    const { layer } = this.scan(index);
    return { kind: 'found', found: { entry: implicitFolder(path, layer), ordinal: undefined } };
  }
}

/** What a layer, read so far, says for certain: the path's own entry, or a link on the way to it. */
function decide(scan: LayerScan, path: ImagePath, { folders }: Settled): Step | undefined {
  for (const folder of ancestorsOf(path)) {
    const entry = scan.said(folder)?.entry;
    if (entry === undefined || entry.type === 'directory' || folders.has(folder)) continue;
    if (entry.type === 'symlink') return { kind: 'link', at: entry };
    // What the layer has below it cannot be put there.
    if (scan.said(path)?.entry !== undefined)
      return { kind: 'nothing', why: noFolder(scan, folder) };
  }
  const said = scan.said(path);
  if (said?.entry === undefined) return undefined;
  if (said.entry.type !== 'directory' && folders.has(path)) return undefined;
  return { kind: 'found', found: { entry: said.entry, ordinal: said.ordinal } };
}

function standsAsFolder(said: Said | undefined): boolean {
  if (said === undefined) return false;
  return said.implied === true || said.opaque === true || said.entry?.type === 'directory';
}

function noFolder({ layer }: LayerScan, folder: ImagePath): string {
  return `layer ${layer.index} has /${printableName(folder)}, which is no folder`;
}

/** Why layers below this one, which was read to its end, cannot have the path. */
function hidden(scan: LayerScan, path: ImagePath, { folders }: Settled): string | undefined {
  const { index } = scan.layer;
  for (const one of [...ancestorsOf(path), path]) {
    const said = scan.said(one);
    if (said?.whiteout === true) return `layer ${index} deletes ${printableName(one)}`;
    if (one === path) break;
    if (said?.opaque === true) return `layer ${index} empties /${printableName(one)}`;
    if (said?.entry !== undefined && said.entry.type !== 'directory') {
      const what = folders.has(one) ? 'had' : 'has';
      return `layer ${index} ${what} /${printableName(one)}, which is no folder`;
    }
  }
  // A file where a layer above has a folder: what lower layers had there is gone with it.
  const own = scan.said(path)?.entry;
  return own !== undefined && folders.has(path) ? 'it is a folder' : undefined;
}

/** The path as far as it can be told without looking: up to a `..` that comes after a name. */
function normalized(
  done: ImagePath,
  left: readonly string[],
): { readonly path: ImagePath; readonly rest: readonly string[] } {
  let [path, named] = [done, false];
  for (const [at, part] of left.entries()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      // What is named before it may be a link: that has to be followed first.
      if (named) return { path, rest: left.slice(at) };
      path = parentOf(path);
    } else {
      path = joined(path, part);
      named = true;
    }
  }
  return { path, rest: [] };
}

function unknown(asked: string, at: ImagePath, why: string): RegistryError {
  const shown = printableName(asked);
  const reached =
    shown.replace(/^\/+/, '') === printableName(at) ? '' : ` (at /${printableName(at)})`;
  return new RegistryError('FILE_UNKNOWN', `no such file in the image: ${shown}${reached}: ${why}`);
}

import path from 'node:path';
import type { FileEntry } from '../image/files/file-entry.ts';
import { findFiles } from '../image/files/find.ts';
import { getPath, saveLayer, type Got } from '../image/files/get.ts';
import type { ImageLayers } from '../image/files/image-layers.ts';
import { listLayer } from '../image/files/list.ts';
import { printableName } from '../layer/name.ts';
import type { Context } from './context.ts';
import { imageEntriesBelow } from './entries-below.ts';
import { fileLine } from './file-line.ts';
import { printEntries } from './file-listing.ts';
import { formatBytes } from './format-bytes.ts';
import { archiveSuffix } from './get.ts';
import type { ImageFiles } from './image-files.ts';
import { leftOut } from './left-out.ts';
import { ask, askLayers } from './menu.ts';
import { shortDigest } from './short-digest.ts';
import { makeFolder } from '../store/make-folder.ts';

/** What can be done with an image. Settles with where to go then. */
export type Action = (
  files: Pick<ImageFiles, 'image' | 'reading'>,
  context: Context,
) => Promise<'stay' | 'quit'>;

/** Lines that a person is shown at a time. */
const PAGE = 40;

const LONG = { form: 'long', layers: 'left out' } as const;

/** What layers hold, as it stands there. */
export const peek: Action = async ({ image, reading }, context) => {
  const chosen = await askLayers(image.layers.length, context);
  if (chosen.kind !== 'answer') return chosen.kind === 'quit' ? 'quit' : 'stay';
  for (const index of chosen.value) {
    const digest = image.layers[index]?.digest;
    context.output.out(
      `Layer ${index + 1}${digest === undefined ? '' : ` ${shortDigest(digest)}`}:\n`,
    );
    const next = await show(listLayer(image, index, reading), context);
    if (next !== 'shown') return stay(next);
  }
  return 'stay';
};

/** A folder as a container sees it. */
export const list: Action = async ({ image, reading }, context) => {
  const at = await ask('Folder [/]: ', context);
  if (at === undefined) return 'quit';
  return stay(await show(imageEntriesBelow(image, at, 'children', reading), context));
};

/** Files by pattern. */
export const find: Action = async ({ image, reading }, context) => {
  const pattern = await ask("Pattern, such as '*.conf': ", context);
  if (pattern === undefined) return 'quit';
  return stay(await show(findFiles(image, pattern, reading), context));
};

/** A file or folder, as a container sees it, onto this disk. */
export const carve: Action = async ({ image, reading }, context) => {
  const at = await ask('File or folder: ', context);
  if (at === undefined) return 'quit';
  const name = path.posix.basename(path.posix.resolve('/', at)) || 'root';
  const target = await ask(`Save as [${printableName(name)}]: `, context);
  if (target === undefined) return 'quit';
  const [to, links] = target === '' ? [name, 'refuse' as const] : [target, 'follow' as const];
  tell(await getPath(image, at, to, { ...reading, links }), context);
  return 'stay';
};

/** Layers as they are stored. */
export const save: Action = async ({ image, reading }, context) => {
  const chosen = await askLayers(image.layers.length, context);
  if (chosen.kind !== 'answer') return chosen.kind === 'quit' ? 'quit' : 'stay';
  const folder = await ask('Output directory [press Enter for current dir]: ', context);
  if (folder === undefined) return 'quit';
  if (folder !== '') await makeFolder(folder);
  for (const index of chosen.value) {
    const file = path.join(folder, archiveName(image, index));
    tell(await saveLayer(image, index, file, { ...reading, links: 'refuse' }), context);
  }
  return 'stay';
};

/** Different for different layers, so that those of several images fit into one folder. */
function archiveName({ repository, layers }: ImageLayers, index: number): string {
  const layer = layers[index];
  if (layer === undefined) throw new Error(`no layer ${index}`);
  const owner = repository.path.replaceAll('/', '-');
  return `${owner}-layer${index + 1}-${shortDigest(layer.digest)}${archiveSuffix(layer)}`;
}

function tell(got: Got, { output }: Context): void {
  for (const line of leftOut(got)) output.error(`${line}\n`);
  const { files, bytes, target } = got;
  const count = `${files} ${files === 1 ? 'file' : 'files'}`;
  output.out(`Saved ${printableName(target)}: ${count}, ${formatBytes(bytes)}\n`);
}

/** A person is asked from page to page. */
async function show(
  entries: AsyncIterable<FileEntry>,
  context: Context,
): Promise<'shown' | 'stopped' | 'quit'> {
  if (context.input.watched === 'no') {
    await printEntries(entries, LONG, context.output);
    return 'shown';
  }
  let count = 0;
  for await (const entry of entries) {
    if (count > 0 && count % PAGE === 0) {
      const typed = await ask('-- Enter for more, q to stop -- ', context);
      if (typed === undefined) return 'quit';
      if (typed.toLowerCase() === 'q') return 'stopped';
    }
    context.output.out(fileLine(entry, LONG));
    count += 1;
  }
  context.output.out(`${count} ${count === 1 ? 'entry' : 'entries'}\n`);
  return 'shown';
}

function stay(shown: 'shown' | 'stopped' | 'quit'): 'stay' | 'quit' {
  return shown === 'quit' ? 'quit' : 'stay';
}

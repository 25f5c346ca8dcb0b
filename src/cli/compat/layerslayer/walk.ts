import { RegistryError } from '../../../core/errors.ts';
import type { IndexEntry } from '../../../core/image-index.ts';
import type { Opened } from '../../../image/opened.ts';
import { carve } from './carve.ts';
import { isYes, type Desk } from './desk.ts';
import { sizeText, type Style } from './listing.ts';
import { bulkScreen, layerScreen } from './peek.ts';
import { save } from './save.ts';
import { imageOf, platformAt, platformsIn, platformText, Refusal, stepsOf } from './target.ts';
import type { Image } from './target.ts';

export const SINGLE = 'Single-arch image detected; using manifest directly\n';
export const WELCOME = ' Welcome to Layerslayer \n\n';

/** Everything but `--carve-file`. @throws Refusal, RegistryError */
export async function walk(opened: Opened, name: string, desk: Desk): Promise<void> {
  const { values, say, print, peeked } = desk;
  say(WELCOME);
  const image = await imageOf(opened, await chosen(opened, desk));
  for (const text of await buildScreen(image, values.has('hide-build') ? 'hidden' : 'shown')) {
    say(text);
  }
  peeked.image(name, image.layers);
  const style: Style = values.has('simple-output') ? 'simple' : 'long';
  const asked = values.get('peek-layer') ?? (values.has('peek-all') ? 'all' : undefined);
  if (asked !== undefined) {
    for await (const text of peekScreen(image, layersOf(asked, image), desk)) await print(text);
  } else if (values.has('bulk-peek')) {
    for await (const text of bulkScreen(image, style, desk)) await print(text);
  } else if (values.has('save-all')) {
    for (const index of image.layers.keys()) await save(image, index, desk.signal, say);
  } else await interactive(image, desk);
}

/** @returns the exit code */
export async function carveFrom(opened: Opened, wanted: string, desk: Desk): Promise<number> {
  const { values, say, progress, signal } = desk;
  const entries = await platformsIn(opened);
  const arch = values.get('arch');
  const amd64 = entries?.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64',
  );
  const asked = arch === undefined ? undefined : number(arch);
  const entry =
    entries && asked !== undefined ? platformAt(entries, asked, '--arch') : (amd64 ?? entries?.[0]);
  const image = await imageOf(opened, entry);
  const given = values.get('carve-layer');
  const layer = given === undefined ? undefined : number(given);
  if (layer !== undefined) layersOf(String(layer), image);
  const folder = values.get('output-dir') ?? './carved';
  const found = await carve(image, wanted, folder, { signal, layer, say, progress });
  return found === 'found' ? 0 : 1;
}

/** The screens of some layers, as `--peek-all` has them. */
export async function* peekScreen(
  image: Image,
  indices: readonly number[],
  options: Pick<Desk, 'peeked' | 'again' | 'signal'>,
): AsyncGenerator<string, void, undefined> {
  if (indices.length === image.layers.length) {
    yield '\n[*] Peeking into all layers (complete enumeration):\n';
  }
  for (const index of indices) yield* layerScreen(image, index, 'long', options);
}

export async function buildScreen(
  image: Image,
  steps: 'shown' | 'hidden',
): Promise<readonly string[]> {
  const history = await stepsOf(image);
  if (steps === 'hidden') return [`\nBuild steps: hidden (${history.length} steps)\n`];
  const lines = history.map(({ createdBy = '', emptyLayer }, index) => {
    return ` [${index}] ${createdBy}${emptyLayer ? ' (metadata only)' : ''}\n`;
  });
  return ['\nBuild steps:\n', ...lines];
}

/** The list of what there is to choose from. */
export function platformScreen(entries: readonly IndexEntry[]): string {
  const lines = entries.map((entry, index) => ` [${index}] ${platformText(entry)}\n`);
  return `Available platforms:\n${lines.join('')}`;
}

/** The layers that a number or `all` means. @throws Refusal */
export function layersOf(text: string, { layers }: Image): readonly number[] {
  if (text.toLowerCase() === 'all') return [...layers.keys()];
  const index = number(text);
  if (layers[index] !== undefined) return [index];
  const range = layers.length === 0 ? 'it has none' : `Valid indices: 0-${layers.length - 1}`;
  throw new Refusal(`[!] Error: there is no layer ${text}. ${range}`);
}

async function chosen(opened: Opened, desk: Desk): Promise<IndexEntry | undefined> {
  const { say, values, ask } = desk;
  const entries = await platformsIn(opened);
  if (entries === undefined) {
    say(SINGLE);
    return undefined;
  }
  say(platformScreen(entries));
  const arch = values.get('arch');
  if (arch !== undefined) {
    const entry = platformAt(entries, number(arch), '--arch');
    say(`Using platform index ${number(arch)} (from --arch)\n`);
    return entry;
  }
  const answer = await ask('Select a platform [0]: ');
  return platformAt(entries, answer === '' ? 0 : number(answer), 'platform');
}

async function interactive(image: Image, desk: Desk): Promise<void> {
  const { say, print, ask, signal } = desk;
  say('\nLayers:\n');
  for (const [index, { digest, size }] of image.layers.entries()) {
    say(` [${index}] ${digest} - ${sizeText(size)}\n`);
  }
  say('\n');
  const answer = await ask('Layers to peek (comma-separated INDEX or ALL) [default: ALL]: ');
  const asked = answer === '' ? ['all'] : answer.split(',').map((part) => part.trim());
  for (const index of asked.flatMap((part) => layersOf(part, image))) {
    for await (const text of layerScreen(image, index, 'long', desk)) await print(text);
    if (isYes(await ask('Download this layer? (y/N) '))) await save(image, index, signal, say);
  }
}

/** A number of a list. Never throws: what is none is out of every range. */
export function number(text: string): number {
  return /^\s*\+?\d{1,9}\s*$/.test(text) ? Number(text) : Number.NaN;
}

/** Whether the registry wants to know who asks, or does not let them. */
export function isUnauthorized(error: unknown): boolean {
  return (
    error instanceof RegistryError && (error.code === 'UNAUTHORIZED' || error.code === 'DENIED')
  );
}

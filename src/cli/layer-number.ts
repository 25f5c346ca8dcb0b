import type { Descriptor } from '../core/descriptor.ts';
import { hexOf } from '../core/digest.ts';
import { shortDigest } from './short-digest.ts';
import { UsageError } from './usage-error.ts';

/**
 * The layer that users mean: its number from 0, the base, or from -1, the top; its digest, or how
 * that begins.
 * @throws UsageError for what is no layer, or may be several
 */
export function layerNumber(which: string, layers: readonly Descriptor[]): number {
  const number = /^-?\d{1,4}$/.test(which) ? Number(which) : undefined;
  if (number !== undefined) {
    const index = number < 0 ? layers.length + number : number;
    if (index >= 0 && index < layers.length) return index;
    throw new UsageError(`there is no layer ${which}: ${listed(layers)}`);
  }
  const found = layers.filter(
    ({ digest }) => digest.startsWith(which) || hexOf(digest).startsWith(which),
  );
  const [first] = found;
  if (first === undefined) throw new UsageError(`there is no layer ${which}: ${listed(layers)}`);
  if (found.some(({ digest }) => digest !== first.digest)) {
    throw new UsageError(`several layers begin with ${which}: ${listed(layers)}`);
  }
  return layers.indexOf(first);
}

function listed(layers: readonly Descriptor[]): string {
  const all = layers.map(({ digest }, index) => `${index} ${shortDigest(digest)}`);
  return layers.length === 0 ? 'the image has none' : `there is ${all.join(', ')}`;
}

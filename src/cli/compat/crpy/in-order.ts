import { hexOf, type Digest } from '../../../core/digest.ts';

/** Prints what is to be said of each layer in the order of the layers, however they come. */
export function inOrder(
  digests: readonly Digest[],
  print: (lines: string) => void,
): (digest: Digest, lines: string) => void {
  const ready = new Map<Digest, string>();
  let next = 0;
  return (digest, lines) => {
    ready.set(digest, lines);
    for (; next < digests.length; next += 1) {
      const wanted = digests[next];
      const text = wanted === undefined ? undefined : ready.get(wanted);
      if (text === undefined) return;
      print(text);
    }
  };
}

/** What a layer is called in lines. */
export function shortOf(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}

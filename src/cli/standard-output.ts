import type { Location } from '../image/location.ts';
import type { Output } from './output.ts';
import { UsageError } from './usage-error.ts';

/** Names that mean standard output. */
const STANDARD = /^(?:-|\/dev\/stdout|\/dev\/fd\/1|\/proc\/self\/fd\/1)$/;

/** @throws UsageError where an archive and what `--json` prints would get mixed */
export function notBoth(place: Location): void {
  const archive = place.kind === 'docker-archive' || place.kind === 'oci-archive';
  if (archive && STANDARD.test(place.file)) {
    throw new UsageError('the archive is what standard output gets: there is no place for --json');
  }
}

/**
 * Prints what fails at its end when it is wrong: the last piece is held back until then. Gives the
 * bytes.
 */
export async function printHeld(
  chunks: AsyncIterable<Uint8Array>,
  output: Output,
): Promise<number> {
  let bytes = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of chunks) {
    if (held !== undefined) await output.bytes(held);
    held = chunk;
    bytes += chunk.length;
  }
  if (held !== undefined) await output.bytes(held);
  return bytes;
}

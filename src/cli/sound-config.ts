import type { Descriptor } from '../core/descriptor.ts';
import { parseManifest } from '../core/manifest.ts';
import { Finding } from './output.ts';

/** For who has told what there was to tell of a config. @throws Finding for what is no JSON object */
export function soundConfig(bytes: Uint8Array, { digest }: Descriptor): void {
  try {
    parseManifest(bytes);
  } catch {
    throw new Finding(`the config of the image is no JSON object: ${digest}`);
  }
}

import { lazily } from '../core/lazily.ts';
import type { Sink } from '../core/sink.ts';
import type { Eraser } from './removal.ts';
import type { WritingOptions } from './writing.ts';

/** What can be done to a registry; loaded when something is, since who reads never needs it. */
export function writingWhenAsked(options: WritingOptions): Eraser & { readonly sink: Sink } {
  const loaded = lazily(async () => (await import('./writing.ts')).writing(options));
  return {
    sink: {
      blob: async (...given) => (await loaded()).sink.blob(...given),
      manifest: async (...given) => (await loaded()).sink.manifest(...given),
    },
    removeTag: async (...given) => (await loaded()).removeTag(...given),
    removeManifest: async (...given) => (await loaded()).removeManifest(...given),
    removeBlob: async (...given) => (await loaded()).removeBlob(...given),
  };
}

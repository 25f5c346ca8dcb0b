import { lazily } from '../core/lazily.ts';
import type { Content, ReadingOptions } from './reading.ts';

/** The content of a registry; loaded when some of it is wanted, since who only lists names never needs it. */
export function readingWhenAsked(options: ReadingOptions): Content {
  const loaded = lazily(async () => (await import('./reading.ts')).reading(options));
  return {
    resolve: async (...given) => (await loaded()).resolve(...given),
    manifest: async (...given) => (await loaded()).manifest(...given),
    stat: async (...given) => (await loaded()).stat(...given),
    blob: async (...given) => (await loaded()).blob(...given),
    referrers: async (...given) => (await loaded()).referrers(...given),
  };
}

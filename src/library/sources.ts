/** `layover/sources`: what everything is read from and written to, and the words it is told in. */
export type { Blob, BlobStat, Listing, Source, Write } from '../core/source.ts';
export type { Content, PlaceOptions, Placement, Sink } from '../core/sink.ts';
export type { Descriptor } from '../core/descriptor.ts';
export type { Manifest, Resolution } from '../core/manifest.ts';
export type { Range, Span } from '../core/range.ts';
export { digestOf, Hasher, isDigest, parseDigest, type Digest } from '../core/digest.ts';
export {
  atDigest,
  formatReference,
  formatRepository,
  isTag,
  parsePath,
  parseTag,
  type Reference,
  type Repository,
  type Tag,
} from '../core/reference.ts';
export { isIndexType, parseImageManifest, type ImageManifest } from '../core/image-manifest.ts';
export { entriesOf, type IndexEntry } from '../core/image-index.ts';
export type { Upstream, UpstreamOptions } from '../upstream/upstream.ts';

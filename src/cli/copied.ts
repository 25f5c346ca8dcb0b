import type { Copied } from '../image/copy/copy.ts';
import type { BlobFrom, Origin } from '../image/copy/event.ts';
import { formatBytes } from './format-bytes.ts';

const ORIGINS: Readonly<Record<Origin, string>> = {
  cache: 'from the cache',
  neighbour: 'from another process',
  'mirror-hit': 'from the mirror (hit)',
  'mirror-filled': 'from the mirror (filled)',
  mirror: 'from the mirror (passed on)',
  upstream: 'from the upstream',
  disk: 'from this disk',
};

/** Where the bytes came from: `3.5 MiB: 1.0 MiB from the cache, 2.5 MiB from the upstream`. */
export function readFrom({ bytes }: Copied): string {
  const origins = Object.entries(ORIGINS) as [Origin, string][];
  const parts = origins.filter(([origin]) => bytes[origin] > 0);
  const sum = formatBytes(parts.reduce((total, [origin]) => total + bytes[origin], 0));
  const listed = parts.map(([origin, text]) => `${formatBytes(bytes[origin])} ${text}`);
  return listed.length === 0 ? sum : `${sum}: ${listed.join(', ')}`;
}

/** What became of the blobs: `2 blobs sent, 3 there already, 1 mounted`. */
export function placedAs({ blobs, leftOut }: Copied): string {
  const { present, mounted, ...written } = blobs;
  const sent = Object.values(written).reduce((sum, count) => sum + count, 0);
  return [
    `${sent} ${sent === 1 ? 'blob' : 'blobs'} sent`,
    ...(present > 0 ? [`${present} there already`] : []),
    ...(mounted > 0 ? [`${mounted} mounted`] : []),
    ...(leftOut > 0 ? [`${leftOut} left out`] : []),
  ].join(', ');
}

export interface CopiedJson {
  readonly target: string;
  readonly images: readonly object[];
  readonly blobs: Readonly<Record<BlobFrom, number>>;
  readonly bytes: Readonly<Record<Origin, number>>;
  readonly leftOut: number;
}

/** What `--json` says. @param names what the images are called now, in their order */
export function copiedJson(copied: Copied, names: readonly string[], target: string): CopiedJson {
  const { images, blobs, bytes, leftOut } = copied;
  return {
    target,
    images: images.map(({ descriptor, platform }, index) =>
      Object.assign({ name: names[index] }, descriptor, platform && { platform }),
    ),
    blobs,
    bytes,
    leftOut,
  };
}

import type { Platform } from '../core/platform.ts';
import type { Manifest } from '../core/manifest.ts';
import { choose } from '../image/choose.ts';
import type { Opened } from '../image/opened.ts';

/** What the name stands for, be it an index; with a platform the image for that. */
export async function manifestAt(
  { source, repository, at }: Opened,
  platform: Platform | undefined,
): Promise<Manifest> {
  if (platform === undefined) return await source.manifest(repository, at);
  return (await choose(source, repository, at, platform)).manifest;
}

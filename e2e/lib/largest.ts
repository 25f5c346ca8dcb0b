import type { Content } from './image.ts';

/** The blob that takes longest. */
export function largest(blobs: readonly Content[]): Content {
  return blobs.reduce((one, other) => (other.size > one.size ? other : one));
}

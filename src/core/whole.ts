import type { Blob } from './source.ts';

/** All bytes of a blob that is small enough for memory, which its reader has seen to. */
export async function wholeOf(blob: Blob): Promise<Uint8Array> {
  const bytes = Buffer.alloc(blob.size);
  let length = 0;
  for await (const chunk of blob.body) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes;
}

import type { Blob, Write } from './source.ts';

/** Writes a blob's bytes one chunk after the other, from its own reused buffers where it has them. */
export function pourBlob(blob: Blob, write: Write): Promise<void> {
  return blob.pour === undefined ? each(blob.body, write) : blob.pour(write);
}

async function each(body: AsyncIterable<Uint8Array>, write: Write): Promise<void> {
  for await (const chunk of body) await write(chunk);
}

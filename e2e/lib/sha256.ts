import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** The digest of a file, `sha256:<hex>`. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

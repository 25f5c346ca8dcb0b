import { algorithmOf, Hasher, type Digest } from '../../core/digest.ts';
import type { RegistryError } from '../../core/errors.ts';
import { rewrap } from '../../core/rewrap.ts';
import type { Blob } from '../../core/source.ts';

/**
 * The whole of a blob, hashed as it is read: where it was not what the digest says its end is the error
 * that `wrong` gives, which has seen to it that it is not met again.
 */
export function verified(blob: Blob, digest: Digest, wrong: () => Promise<RegistryError>): Blob {
  const hasher = new Hasher(algorithmOf(digest));
  const pour = blob.pour?.bind(blob);
  const check = async (): Promise<void> => {
    if (hasher.digest() !== digest) throw await wrong();
  };
  return rewrap(blob, {
    body: (async function* () {
      for await (const chunk of blob.body) {
        hasher.update(chunk);
        yield chunk;
      }
      await check();
    })(),
    ...(pour && {
      pour: async (write) => {
        await pour((chunk) => {
          hasher.update(chunk);
          return write(chunk);
        });
        await check();
      },
    }),
  });
}

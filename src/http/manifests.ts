import type { Digest } from '../core/digest.ts';
import type { Resolution } from '../core/manifest.ts';
import type { Repository, Tag } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import { entityTag, matchesTag } from './answer.ts';
import type { Exchange } from './exchange.ts';

/**
 * Distribution specification, "Pulling manifests". Whatever `Accept` and `Range` say, the answer is
 * the manifest as it is and whole: another type would be another digest, and clients that send a
 * range with everything take a 200 for a server without ranges.
 */
export async function answerManifest(
  exchange: Exchange,
  source: Source,
  repository: Repository,
  at: Tag | Digest,
): Promise<void> {
  exchange.kind = 'manifest';
  exchange.reference = at;
  if (exchange.method === 'HEAD') {
    const resolution = await source.resolve(repository, at);
    if (unchanged(exchange, resolution)) return;
    exchange.answer(200, { ...fieldsOf(resolution), 'Content-Length': resolution.descriptor.size });
    return;
  }
  const manifest = await source.manifest(repository, at);
  if (unchanged(exchange, manifest)) return;
  exchange.answer(200, fieldsOf(manifest), manifest.bytes);
}

function fieldsOf({ descriptor }: Resolution): Record<string, string | number> {
  return {
    'Content-Type': descriptor.mediaType,
    'Docker-Content-Digest': descriptor.digest,
    ETag: entityTag(descriptor.digest),
  };
}

/** Answers 304 if the client has what is there already. */
function unchanged(exchange: Exchange, { descriptor, served }: Resolution): boolean {
  exchange.served = served;
  const tag = entityTag(descriptor.digest);
  if (!matchesTag(exchange.header('if-none-match'), tag)) return false;
  exchange.answer(304, { 'Docker-Content-Digest': descriptor.digest, ETag: tag });
  return true;
}

import type { Descriptor } from '../core/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { childrenOf } from '../core/manifest.ts';
import { bareType, MEDIA_TYPES } from '../core/media-type.ts';
import { parseTag, type Tag } from '../core/reference.ts';
import type { Ask } from './ask.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import { fetchManifest } from './manifests.ts';
import { pages } from './pages.ts';

/** How registries say that they have no referrers API. */
const WITHOUT: readonly number[] = [400, 404, 405, 406, 501];
const LONGEST_HEX = 64;

/**
 * Every referrer, from the API, or where there is none from the tag that clients keep instead
 * (distribution specification, "Unavailable Referrers API").
 * @throws RegistryError MANIFEST_UNKNOWN when there is neither; whether that is definitive is the
 * tag's answer to tell, as the API's is the same for "none" and for "no such API"
 */
export async function listReferrers(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  digest: Digest,
): Promise<readonly Descriptor[]> {
  const listed = await fromApi(endpoint, effort, repository, digest);
  if (listed !== undefined) return listed;
  const manifest = await fetchManifest(endpoint, effort, repository, fallbackTag(digest));
  return manifest.descriptor.mediaType === MEDIA_TYPES.ociIndex ? childrenOf(manifest.bytes) : [];
}

async function fromApi(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  digest: Digest,
): Promise<readonly Descriptor[] | undefined> {
  const ask: Ask = {
    method: 'GET',
    kind: 'referrers',
    repository,
    path: `/v2/${repository}/referrers/${digest}`,
    headers: { accept: MEDIA_TYPES.ociIndex },
    also: WITHOUT,
  };
  const listed = new Map<Digest, Descriptor>();
  for await (const { answer, bytes } of pages(endpoint, (request) => request(effort), ask)) {
    const type = bareType(answer.header('content-type') ?? '');
    if (answer.status >= 300 || type !== MEDIA_TYPES.ociIndex) return undefined;
    const children = tryChildren(bytes);
    if (children === undefined) return undefined;
    for (const child of children) listed.set(child.digest, child);
  }
  return [...listed.values()];
}

function tryChildren(bytes: Uint8Array): readonly Descriptor[] | undefined {
  try {
    return childrenOf(bytes);
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}

/** `sha256-<hex>`, the hex cut to 64 characters. */
export function fallbackTag(digest: Digest): Tag {
  return parseTag(`${algorithmOf(digest)}-${hexOf(digest).slice(0, LONGEST_HEX)}`);
}

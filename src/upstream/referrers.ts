import { algorithmOf, hexOf, type Digest } from '../core/digest.ts';
import { isUnknown, RegistryError } from '../core/errors.ts';
import { mediaTypeOf } from '../core/manifest.ts';
import { bareType, MEDIA_TYPES } from '../core/media-type.ts';
import { parseTag, type Tag } from '../core/reference.ts';
import { referrersIn, type Referrer } from '../core/referrer.ts';
import type { Answer } from './answer.ts';
import type { Ask } from './ask.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import { invalid, UpstreamError } from './failure.ts';
import { fetchManifest } from './manifests.ts';
import { pages } from './pages.ts';

/** How registries say that they have no referrers API. */
const WITHOUT: readonly number[] = [400, 404, 405, 406, 501];
const LONGEST_HEX = 64;

/**
 * Every referrer, from the API, or where there is none from the tag that clients keep instead
 * (distribution specification, "Unavailable Referrers API").
 * @throws RegistryError MANIFEST_UNKNOWN when there is neither; whether that is definitive is the
 * tag's answer to tell, as the API's is the same for "none" and for "no such API". UPSTREAM_INVALID
 * when something else answers as the API, and there is no tag
 */
export async function listReferrers(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  digest: Digest,
): Promise<readonly Referrer[]> {
  const listed = await fromApi(endpoint, effort, repository, digest);
  if (listed !== 'none' && !(listed instanceof UpstreamError)) return listed;
  try {
    const tag = fallbackTag(digest);
    const { descriptor, bytes } = await fetchManifest(endpoint, effort, repository, tag);
    return descriptor.mediaType === MEDIA_TYPES.ociIndex ? referrersIn(bytes) : [];
  } catch (error) {
    throw listed instanceof UpstreamError && isUnknown(error) ? listed : error;
  }
}

/** `none` where there is no API; an error where what answers is none, whatever it is. */
async function fromApi(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  digest: Digest,
): Promise<readonly Referrer[] | 'none' | UpstreamError> {
  const ask: Ask = {
    method: 'GET',
    kind: 'referrers',
    repository,
    path: `/v2/${repository}/referrers/${digest}`,
    headers: { accept: MEDIA_TYPES.ociIndex },
    also: WITHOUT,
  };
  const listed = new Map<Digest, Referrer>();
  for await (const { answer, bytes } of pages(endpoint, (request) => request(effort), ask)) {
    if (answer.status >= 300) return 'none';
    const page = referrersOf(answer, bytes);
    if (page === undefined) return invalid(answer.subject, 'not a list of referrers');
    for (const referrer of page) listed.set(referrer.digest, referrer);
  }
  return [...listed.values()];
}

function referrersOf(answer: Answer, bytes: Uint8Array): readonly Referrer[] | undefined {
  const type = bareType(answer.header('content-type') ?? '');
  try {
    const index = type === MEDIA_TYPES.ociIndex || mediaTypeOf(bytes) === MEDIA_TYPES.ociIndex;
    return index ? referrersIn(bytes) : undefined;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}

/** `sha256-<hex>`, the hex cut to 64 characters. */
export function fallbackTag(digest: Digest): Tag {
  return parseTag(`${algorithmOf(digest)}-${hexOf(digest).slice(0, LONGEST_HEX)}`);
}

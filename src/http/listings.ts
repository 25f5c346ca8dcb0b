import type { Digest } from '../core/digest.ts';
import { MEDIA_TYPES } from '../core/media-type.ts';
import type { Repository } from '../core/reference.ts';
import type { Referrer } from '../core/referrer.ts';
import type { Source } from '../core/source.ts';
import type { Exchange } from './exchange.ts';
import type { Target } from './name.ts';
import { nextLink, pageOf, parsePageQuery, type PageQuery } from './page.ts';

/** Bytes of entries: clients read an index of up to 4 MiB, its frame included. */
const LARGEST_INDEX = 4 * 1024 * 1024 - 1024;

/** Distribution specification, "Listing Tags". The name goes back as the client wrote it. */
export async function answerTags(
  exchange: Exchange,
  source: Source,
  repository: Repository,
  target: Target & { readonly name: string },
): Promise<void> {
  const wanted = parsePageQuery(target.query);
  exchange.kind = 'tags';
  const { items, served } = await source.tags(repository);
  exchange.served = served;
  const { items: tags, next } = pageOf(items, wanted);
  answerJson(exchange, { name: target.name, tags }, linkTo(target, next));
}

/** The repositories known here (docker's registry API, "Listing Repositories"), sorted. */
export async function answerCatalog(
  exchange: Exchange,
  catalog: () => Promise<readonly string[]>,
  target: Target,
): Promise<void> {
  const wanted = parsePageQuery(target.query);
  const { items: repositories, next } = pageOf(await catalog(), wanted);
  answerJson(exchange, { repositories }, linkTo(target, next));
}

/** Distribution specification, "Listing Referrers". */
export async function answerReferrers(
  exchange: Exchange,
  source: Source,
  repository: Repository,
  digest: Digest,
  query: URLSearchParams,
): Promise<void> {
  exchange.kind = 'referrers';
  exchange.reference = digest;
  const { items, served } = await source.referrers(repository, digest);
  exchange.served = served;
  const artifactType = query.get('artifactType') ?? '';
  const wanted =
    artifactType === '' ? items : items.filter((entry) => entry.artifactType === artifactType);
  const { manifests, next } = referrersPage(wanted.map(toJson), parsePageQuery(query));
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
  exchange.answer(
    200,
    {
      'Content-Type': MEDIA_TYPES.ociIndex,
      ...(artifactType !== '' && { 'OCI-Filters-Applied': 'artifactType' }),
      ...(next !== undefined && { Link: nextLink(exchange.path, query, next) }),
    },
    JSON.stringify(index),
  );
}

/**
 * All of them as they come, if one answer can hold them; otherwise, or if a part is asked for, in the
 * order of their digests, so that pages fit together whatever is added or removed meanwhile.
 */
function referrersPage(
  items: readonly Referrer[],
  { n, last }: PageQuery,
): { readonly manifests: readonly Referrer[]; readonly next: string | undefined } {
  const sizes = new Map(items.map((item) => [item, Buffer.byteLength(JSON.stringify(item)) + 1]));
  const whole = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  if (n === undefined && last === undefined && whole <= LARGEST_INDEX) {
    return { manifests: items, next: undefined };
  }
  const rest = items
    .filter(({ digest }) => last === undefined || digest > last)
    .toSorted((one, other) => (one.digest < other.digest ? -1 : 1));
  const manifests: Referrer[] = [];
  let room = LARGEST_INDEX;
  for (const item of rest.slice(0, n)) {
    room -= sizes.get(item) ?? 0;
    if (room < 0 && manifests.length > 0) break;
    manifests.push(item);
  }
  const end = manifests.at(-1)?.digest;
  return { manifests, next: manifests.length < rest.length ? end : undefined };
}

function linkTo({ path, query }: Target, next: string | undefined): Record<string, string> {
  return next === undefined ? {} : { Link: nextLink(path, query, next) };
}

function answerJson(exchange: Exchange, body: unknown, fields: Record<string, string>): void {
  exchange.answer(200, { 'Content-Type': 'application/json', ...fields }, JSON.stringify(body));
}

/** What else a source may know of it is for nobody. */
function toJson(referrer: Referrer): Referrer {
  const { mediaType, digest, size, urls, annotations, data, platform, artifactType } = referrer;
  return {
    mediaType,
    digest,
    size,
    ...(urls !== undefined && { urls }),
    ...(annotations !== undefined && { annotations }),
    ...(data !== undefined && { data }),
    ...(platform !== undefined && { platform }),
    ...(artifactType !== undefined && { artifactType }),
  };
}

import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { MEDIA_TYPES } from '../core/media-type.ts';
import type { Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { Exchange } from './exchange.ts';
import type { Target } from './name.ts';
import { nextLink, pageOf, parsePageQuery } from './page.ts';

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
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: wanted.map(toJson),
  };
  exchange.answer(
    200,
    {
      'Content-Type': MEDIA_TYPES.ociIndex,
      ...(artifactType !== '' && { 'OCI-Filters-Applied': 'artifactType' }),
    },
    JSON.stringify(index),
  );
}

function linkTo({ path, query }: Target, next: string | undefined): Record<string, string> {
  return next === undefined ? {} : { Link: nextLink(path, query, next) };
}

function answerJson(exchange: Exchange, body: unknown, fields: Record<string, string>): void {
  exchange.answer(200, { 'Content-Type': 'application/json', ...fields }, JSON.stringify(body));
}

function toJson({ mediaType, digest, size, artifactType, annotations }: Descriptor): Descriptor {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  };
}

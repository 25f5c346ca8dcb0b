import { parseDigest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Kind } from '../core/kind.ts';
import type { Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { Hints, Router } from '../mirror/route.ts';
import { answerBlob } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { answerCatalog, answerReferrers, answerTags } from './listings.ts';
import { answerManifest } from './manifests.ts';
import { parseReference, type Endpoint, type Target } from './name.ts';

export interface DistributionOptions {
  readonly source: Source;
  readonly router: Router;
  /**
   * Names of the repositories known here, sorted by code unit: as `host/path`, or the paths alone
   * of the one upstream given.
   */
  readonly catalog: (upstream: string | undefined) => Promise<readonly string[]>;
}

/** Answers a request below `/v2/`. What it throws is the answer. */
export async function answerDistribution(
  exchange: Exchange,
  target: Target,
  options: DistributionOptions,
): Promise<void> {
  const { endpoint, query, prefix } = target;
  const hints: Hints = { ns: query.getAll('ns'), registry: exchange.header('x-registry'), prefix };
  exchange.ns = hints.ns[0];
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    throw new RegistryError(
      'UNSUPPORTED',
      `${exchange.method} is not served here: what is mirrored is read-only`,
    );
  }
  switch (endpoint.type) {
    case 'base':
      options.router.upstream(hints);
      exchange.answer(200, { 'Content-Type': 'application/json' }, '{}');
      return;
    case 'catalog': {
      const upstream = options.router.upstream(hints);
      await answerCatalog(exchange, () => options.catalog(upstream), target);
      return;
    }
    case 'uploads':
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN');
    case 'manifest':
    case 'blob':
    case 'tags':
    case 'referrers': {
      const repository = options.router.repository({ ...hints, name: endpoint.name });
      exchange.repository = repository;
      await answerContent(exchange, target, endpoint, repository, options.source);
    }
  }
}

type ContentEndpoint = Extract<Endpoint, { readonly type: Kind }>;

async function answerContent(
  exchange: Exchange,
  target: Target,
  endpoint: ContentEndpoint,
  repository: Repository,
  source: Source,
): Promise<void> {
  switch (endpoint.type) {
    case 'manifest':
      return answerManifest(exchange, source, repository, parseReference(endpoint.reference));
    case 'blob':
      return answerBlob(exchange, source, repository, parseDigest(endpoint.digest));
    case 'tags':
      return answerTags(exchange, source, repository, { ...target, name: endpoint.name });
    case 'referrers':
      return answerReferrers(
        exchange,
        source,
        repository,
        parseDigest(endpoint.digest),
        target.query,
      );
  }
}

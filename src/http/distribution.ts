import { parseDigest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { isHosted } from '../core/hosted.ts';
import type { Kind } from '../core/kind.ts';
import type { Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import type { Hosted } from '../hosted/hosted.ts';
import type { Asked, Hints, Router } from '../mirror/route.ts';
import { answerBlob } from './blobs.ts';
import { answerBlobChange, answerManifestChange } from './changes.ts';
import type { Exchange } from './exchange.ts';
import { answerCatalog, answerReferrers, answerTags } from './listings.ts';
import { answerManifest } from './manifests.ts';
import { isReading, notAllowed } from './methods.ts';
import { parseReference, type Endpoint, type Target } from './name.ts';
import { answerUpload, answerUploads, type Writing } from './uploads.ts';

export interface DistributionOptions {
  /** Of everything that is mirrored. */
  readonly source: Source;
  /** What lives here; left out where nothing does. */
  readonly hosted?: Hosted | undefined;
  /** Milliseconds without a byte after which a client that sends a body is cut; two minutes. */
  readonly silence?: number | undefined;
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
  const { router } = options;
  const hints: Hints = { ns: query.getAll('ns'), registry: exchange.header('x-registry'), prefix };
  exchange.ns = hints.ns[0];
  switch (endpoint.type) {
    case 'base':
      if (!isReading(exchange.method)) throw notAllowed(exchange.method, ['GET', 'HEAD']);
      router.upstream(hints);
      exchange.answer(200, { 'Content-Type': 'application/json' }, '{}');
      return;
    case 'catalog': {
      if (!isReading(exchange.method)) throw notAllowed(exchange.method, ['GET', 'HEAD']);
      const upstream = router.upstream(hints);
      await answerCatalog(exchange, () => options.catalog(upstream), target);
      return;
    }
    case 'manifest':
    case 'blob':
    case 'tags':
    case 'referrers':
    case 'uploads':
    case 'upload': {
      const { name } = endpoint;
      const { ns, registry } = hints;
      const repository = router.repository({ ns, registry, prefix, name });
      exchange.repository = repository;
      const { hosted } = options;
      if (hosted === undefined || !isHosted(repository)) {
        await answerMirrored(exchange, target, endpoint, repository, options.source);
        return;
      }
      const locate = (other: string) => locateIn(router, { ...hints, name: other });
      const writing = { hosted, repository, query, locate, silence: options.silence };
      await answerHosted(exchange, target, endpoint, writing);
    }
  }
}

type ContentEndpoint = Extract<Endpoint, { readonly type: Kind }>;
type RepositoryEndpoint = Extract<Endpoint, { readonly name: string }>;

async function answerMirrored(
  exchange: Exchange,
  target: Target,
  endpoint: RepositoryEndpoint,
  repository: Repository,
  source: Source,
): Promise<void> {
  if (!isReading(exchange.method)) {
    throw new RegistryError(
      'UNSUPPORTED',
      `${exchange.method} is not served for this name: what is mirrored is read-only, and repositories that live here match a pattern of hosted`,
    );
  }
  if (endpoint.type === 'uploads' || endpoint.type === 'upload') {
    throw new RegistryError('BLOB_UPLOAD_UNKNOWN');
  }
  await answerContent(exchange, target, endpoint, repository, source);
}

async function answerHosted(
  exchange: Exchange,
  target: Target,
  endpoint: RepositoryEndpoint,
  writing: Writing,
): Promise<void> {
  if (endpoint.type === 'uploads') return answerUploads(exchange, writing);
  if (endpoint.type === 'upload') return answerUpload(exchange, writing, endpoint.id);
  if (isReading(exchange.method)) {
    return answerContent(exchange, target, endpoint, writing.repository, writing.hosted);
  }
  switch (endpoint.type) {
    case 'manifest':
      return answerManifestChange(exchange, writing, parseReference(endpoint.reference));
    case 'blob':
      return answerBlobChange(exchange, writing, parseDigest(endpoint.digest));
    case 'tags':
    case 'referrers':
      throw notAllowed(exchange.method, ['GET', 'HEAD']);
  }
}

/** Where a mount comes from. A name that leads nowhere is no error: the client uploads instead. */
function locateIn(router: Router, asked: Asked): Repository | undefined {
  try {
    return router.repository(asked);
  } catch (error) {
    if (error instanceof RegistryError && error.status < 500) return undefined;
    throw error;
  }
}

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

import { RegistryError } from '../core/errors.ts';
import { formatRepository, type Repository } from '../core/reference.ts';
import type { Source } from '../core/source.ts';
import { UpstreamError } from '../upstream/failure.ts';

/**
 * The same failure with the repository that the content is of, where it is about content that is not
 * what its digest or its size says: who checks that does not know where it came from.
 */
export function withRepository(error: unknown, source: Source, repository: Repository): unknown {
  // Places on this machine, and registries themselves, say whom it is about.
  if (source.lies === 'here' || !(error instanceof RegistryError)) return error;
  if (error instanceof UpstreamError) return error;
  if (error.code !== 'DIGEST_INVALID' && error.code !== 'SIZE_INVALID') return error;
  const message = `${formatRepository(repository)}: wrong content: ${error.message}`;
  return new RegistryError(error.code, message, { cause: error });
}

import type { Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import { formatRepository, type Repository } from '../core/reference.ts';

/** What kept the bytes from being taken, rather than from being sent: no other origin mends that. */
export function isOurs(error: unknown): boolean {
  const { code } = error instanceof RegistryError ? error : { code: undefined };
  return code === undefined || code === 'SIZE_INVALID' || code === 'STORAGE_UNAVAILABLE';
}

/** What is there already is all there is, or belongs to something else. */
export function isRangeInvalid(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'RANGE_INVALID';
}

/** What is here in the end is not what its digest says, as opposed to: that cannot be told. */
export function isWrong(error: unknown): boolean {
  const { code } = error instanceof RegistryError ? error : { code: undefined };
  return code === 'DIGEST_INVALID' || code === 'SIZE_INVALID';
}

/** Nobody wanted it any more. */
export function abandoned(repository: Repository, digest: Digest): RegistryError {
  return new RegistryError(
    'UPSTREAM_UNAVAILABLE',
    `the download of ${digest} from ${formatRepository(repository)} was stopped; it goes on when it is asked for again`,
  );
}

/** What came is not what was asked for; or what had come before a restart has changed on the disk since. */
export function somethingElse(
  { host }: Repository,
  digest: Digest,
  cause?: unknown,
): RegistryError {
  return new RegistryError(
    'UPSTREAM_INVALID',
    `${host} sent something else under ${digest}; it was thrown away`,
    { cause },
  );
}

/** The upstream tells a size that content with the digest cannot have. */
export function impossible({ host }: Repository, digest: Digest, size: number): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', `${host} says that ${digest} has ${size} bytes`);
}

/** The upstream contradicts itself: what has come and what is to come are not of one piece. */
export class Resized extends RegistryError {
  constructor(
    { host }: Repository,
    digest: Digest,
    { said, says }: { readonly said: number; readonly says: number },
  ) {
    super('UPSTREAM_INVALID', `${host} says that ${digest} has ${says} bytes, having said ${said}`);
    this.name = 'Resized';
  }
}

import { RegistryError } from '../core/errors.ts';

/** One word for why an upstream did not help, for `Cache-Status`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof RegistryError)) return 'error';
  switch (error.code) {
    case 'TOOMANYREQUESTS':
      return 'rate-limited';
    case 'UPSTREAM_TIMEOUT':
      return 'slow';
    case 'UPSTREAM_UNAVAILABLE':
      return 'unreachable';
    case 'DENIED':
    case 'UNAUTHORIZED':
      return 'denied';
    case 'OFFLINE':
      return 'offline';
    default:
      return 'error';
  }
}

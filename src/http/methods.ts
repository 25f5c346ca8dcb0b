import { RegistryError } from '../core/errors.ts';
import { isRecord } from '../core/shape.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** UNSUPPORTED (405), with the methods that would do in `Allow` (RFC 9110 section 15.5.6). */
export function notAllowed(method: string, allow: readonly Method[]): RegistryError {
  return new RegistryError('UNSUPPORTED', `${method} is not served here`, { detail: { allow } });
}

/** Has the answer to something that is refused with 405 say what would do. @throws what the task does */
export async function orElse(allow: readonly Method[], task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status !== 405) throw error;
    const { code, message, status, detail } = error;
    const told = isRecord(detail) ? { ...detail, allow } : { allow };
    throw new RegistryError(code, message, { status, detail: told, cause: error });
  }
}

export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

import { systemCode } from '../core/errors.ts';
import { Finding } from './output.ts';

/** What happened and why, without the stack; a defect is told with its stack, for whoever mends it. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Finding) return error.message;
  if (isDefect(error)) return error.stack ?? error.message;
  return error.cause instanceof Error ? `${error.message}: ${told(error.cause)}` : error.message;
}

function isDefect(error: Error): boolean {
  const defects = [TypeError, RangeError, ReferenceError, SyntaxError];
  return systemCode(error) === undefined && defects.some((kind) => error instanceof kind);
}

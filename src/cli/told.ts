import { systemCode } from '../core/errors.ts';
import { Finding } from './output.ts';

/** What Node advises those who run it themselves. */
const CERTIFICATES = /; if the root CA is installed locally, .*$/;

/** What happened and why, without the stack; a defect is told with its stack, for whoever mends it. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Finding) return error.message;
  if (isDefect(error)) return error.stack ?? error.message;
  const why = reason(error.cause);
  // Who wraps a failure may have told all of it already.
  return why === undefined || error.message.includes(why)
    ? error.message
    : `${error.message}: ${why}`;
}

function reason(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  // Whoever caught it was reading what others wrote, and it quotes that.
  if (CERTIFICATES.test(cause.message)) return cause.message.replace(CERTIFICATES, '');
  return cause instanceof SyntaxError ? steadied(cause.message) : told(cause);
}

/** Without what a terminal obeys, and what ends a line. */
function steadied(text: string): string {
  // Here rather than once for all: Unicode's tables are read for it, and few who start need them.
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ');
}

function isDefect(error: Error): boolean {
  const defects = [TypeError, RangeError, ReferenceError, SyntaxError];
  return systemCode(error) === undefined && defects.some((kind) => error instanceof kind);
}

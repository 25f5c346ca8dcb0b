import path from 'node:path';
import { systemCode } from '../core/errors.ts';
import { Finding } from './output.ts';

/** What Node advises those who run it themselves. */
const CERTIFICATES = /; if the root CA is installed locally, .*$/;

/** The code says what OpenSSL does in addresses and lines of its own source. */
const OPENSSL = /^ERR_(?:SSL|OSSL)_/;

/** What happened and why, without the stack; a defect is told with its stack, for whoever mends it. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Finding) return error.message;
  if (isDefect(error)) return error.stack ?? error.message;
  const why = reason(error.cause, error.message);
  return why === undefined || error.message.includes(why)
    ? error.message
    : `${error.message}: ${why}`;
}

/** @param before what is told in front of it: a file that is named there is not named again */
function reason(cause: unknown, before: string): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  if (namesFile(cause) && before.includes(path.basename(cause.path))) {
    const [words] = cause.message.split(`, ${cause.syscall} '`);
    return words;
  }
  // Whoever caught it was reading what others wrote, and it quotes that.
  if (CERTIFICATES.test(cause.message)) return cause.message.replace(CERTIFICATES, '');
  const code = systemCode(cause);
  if (code !== undefined && OPENSSL.test(code)) return before.includes(code) ? undefined : code;
  if (cause instanceof SyntaxError) return steadied(cause.message);
  // Who wraps a failure may have told it already, if not what is behind it.
  return tells(before, cause) ? reason(cause.cause, before) : told(cause);
}

function tells(before: string, error: Error): boolean {
  return !isDefect(error) && error.message !== '' && before.includes(error.message);
}

/** Without what a terminal obeys, and what ends a line. */
function steadied(text: string): string {
  // Here rather than once for all: Unicode's tables are read for it, and few who start need them.
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ');
}

/** Node's errors of the file system: `CODE: words, call 'path'`. */
function namesFile(error: Error): error is Error & { path: string; syscall: string } {
  const named = 'path' in error && 'syscall' in error;
  return named && typeof error.path === 'string' && typeof error.syscall === 'string';
}

function isDefect(error: Error): boolean {
  const defects = [TypeError, RangeError, ReferenceError, SyntaxError];
  return systemCode(error) === undefined && defects.some((kind) => error instanceof kind);
}

import type { Finding } from '../image/finder/finding.ts';
import type { PrefetchFailure } from '../image/prefetch/event.ts';

/** What could not be read out of a file, as a run tells of what it could not fetch: named as written, with its place. */
export function failureOf(finding: Finding & { readonly kind: 'unusable' }): PrefetchFailure {
  const { file, line, path, written, reason } = finding;
  const place = `${file}:${line}${path === '' ? '' : ` ${path}`}`;
  const image = written === '' ? place : written;
  return { image, code: 'NAME_INVALID', reason: `${place}: ${reason}` };
}

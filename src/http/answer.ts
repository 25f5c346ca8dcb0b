import { isHosted } from '../core/hosted.ts';
import type { Repository } from '../core/reference.ts';
import type { Served } from '../core/served.ts';

/** What a header may hold; numbers are for Content-Length. */
export type Fields = Readonly<Record<string, string | number>>;

const TOKEN = /^[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*$/;
/** Characters; escaped they stay below the 4096 bytes of the specification. */
const LONGEST_WARNING = 2000;

/** A digest as an entity tag: content by digest is what strong validators were made for. */
export function entityTag(digest: string): string {
  return `"${digest}"`;
}

/** The `Range` of an upload: clients scan for two numbers, so without a unit, and `0-0` when empty. */
export function uploadRange(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}

/** Whether an `If-None-Match` header names the entity (RFC 9110 section 13.1.2: weak comparison). */
export function matchesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((listed) => listed.trim().replace(/^W\//, '') === tag);
}

/** The `Cache-Status` header (RFC 9211). Without a word on how it was served no cache was asked. */
export function cacheStatus(served: Served | undefined): string {
  if (served === undefined) return 'layover';
  const detail = detailOf(served);
  let value = `layover; ${howServed(served)}`;
  if (served.stored === true) value += '; stored';
  if (served.ttl !== undefined) value += `; ttl=${Math.round(served.ttl)}`;
  if (detail !== undefined) value += `; detail=${TOKEN.test(detail) ? detail : quoted(detail)}`;
  return value;
}

/** A `Warning` header that clients show to people (distribution specification, "Warnings"). */
export function warning(text: string): string {
  return `299 - ${quoted(text.slice(0, LONGEST_WARNING))}`;
}

/** What the head of an answer tells besides its own fields. */
export interface Headed {
  readonly id: string;
  readonly served: Served | undefined;
  readonly repository: Repository | undefined;
}

/** Names and values in turn, which is what Node takes to the wire with the least ado. */
export function headOf({ id, served, repository }: Headed, fields: Fields): string[] {
  const head = [
    'Docker-Distribution-Api-Version',
    'registry/2.0',
    'X-Request-Id',
    id,
    'Cache-Status',
    cacheStatus(served),
  ];
  for (const name in fields) head.push(name, `${fields[name]}`);
  if (repository !== undefined && !isHosted(repository)) {
    head.push('OCI-Namespace', repository.host);
  }
  if (served?.warning !== undefined) head.push('Warning', warning(served.warning));
  return head;
}

function howServed({ result, detail }: Served): string {
  switch (result) {
    case 'hit':
    case 'revalidated':
    case 'negative':
      return 'hit';
    case 'miss':
    case 'error':
      return 'fwd=miss';
    case 'joined':
      return 'fwd=miss; collapsed';
    case 'stale':
      // With a reason, the upstream was turned to first.
      return detail === undefined ? 'hit' : 'fwd=stale';
    case 'bypass':
      return 'fwd=bypass';
  }
}

function detailOf({ result, detail }: Served): string | undefined {
  switch (result) {
    case 'hit':
    case 'miss':
    case 'joined':
    case 'bypass':
      return detail;
    case 'revalidated':
      return result;
    case 'negative':
    case 'stale':
    case 'error':
      return detail ?? result;
  }
}

/** A quoted string of printable ASCII, the form that RFC 9110 and RFC 8941 share. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`;
}

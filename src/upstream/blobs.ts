import { mayHaveSize, type Digest } from '../core/digest.ts';
import { spanOf, type Range, type Span } from '../core/range.ts';
import type { Blob, BlobStat } from '../core/source.ts';
import type { Answer } from './answer.ts';
import { BlobBody, type Reading } from './blob-body.ts';
import type { Ask } from './ask.ts';
import { servedBy } from './cache-status.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import { lengthOf } from './exchange.ts';
import { invalid } from './failure.ts';

/** How storage refuses HEAD by a URL that was signed for GET. */
const SIGNED_FOR_GET: readonly number[] = [400, 401, 403];

/** Of those that mean success, the ones that come with the whole blob (RFC 9110 section 15.3). */
const WHOLE: ReadonlySet<number> = new Set([200, 203]);

const UNTOLD = "the blob's size is told neither by Content-Length nor by Content-Range";

/** The blob's size, by HEAD; by the first byte of a GET where HEAD says nothing, or what cannot be. */
export async function statBlob(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  digest: Digest,
): Promise<BlobStat> {
  const head: Ask = {
    ...ask(repository, digest),
    method: 'HEAD',
    also: [405, 501],
    alsoElsewhere: SIGNED_FOR_GET,
  };
  const stat = await endpoint.run(head, effort, async (answer) => {
    using read = answer;
    const told = read.identity && WHOLE.has(read.status);
    const size = told ? lengthOf(read.response.headers) : undefined;
    if (size === undefined || !mayHaveSize(digest, size)) return undefined;
    return { size, ...servedBy(read) };
  });
  if (stat !== undefined) return stat;
  const range = { range: 'bytes=0-0' };
  const first: Ask = { ...ask(repository, digest), headers: range, also: [416] };
  return await endpoint.run(first, effort, async (answer) => {
    using read = answer;
    read.requireIdentity();
    const size = totalOf(read);
    if (size === undefined) throw invalid(read.subject, UNTOLD);
    return { size: possible(read, digest, size), ...servedBy(read) };
  });
}

/** As an answer to a range tells it. */
function totalOf(answer: Answer): number | undefined {
  switch (answer.status) {
    case 206:
      return parseContentRange(answer)?.total;
    case 416:
      return unsatisfied(answer);
    default:
      return WHOLE.has(answer.status) ? lengthOf(answer.response.headers) : undefined;
  }
}

/** An answer without bytes would be passed on whole before anybody could hash it. */
function possible({ subject, status }: Answer, digest: Digest, size: number): number {
  if (mayHaveSize(digest, size)) return size;
  throw invalid(
    subject,
    `answered ${status} with a blob of ${size} bytes, which ${digest} is not of`,
  );
}

/** Opens a blob or a part of it, whichever way the upstream gives it. */
export async function openBlob(
  endpoint: Endpoint,
  effort: Effort,
  repository: string,
  digest: Digest,
  range: Range | undefined,
  reading: Reading,
): Promise<Blob> {
  const told = async () => (await statBlob(endpoint, effort, repository, digest)).size;
  const headers: Record<string, string> = range === undefined ? {} : { range: rangeHeader(range) };
  const get: Ask = { ...ask(repository, digest), headers, also: [416] };
  return await endpoint.run(get, effort, async (answer) => {
    using unused = new DisposableStack();
    unused.use(answer);
    const size = async (said: number | undefined) =>
      said === undefined ? await told() : possible(answer, digest, said);
    const part = await partOf(answer, range, size);
    unused.move();
    return new BlobBody(answer, part, reading);
  });
}

/** What of the blob an answer's body is, and what of that is wanted. */
export interface Part {
  readonly size: number;
  readonly span: Span;
  /** Bytes of the body before the span. */
  readonly skip: number;
  /** Whether the body goes on after the span. */
  readonly rest: 'none' | 'unwanted';
}

async function partOf(
  answer: Answer,
  range: Range | undefined,
  sizeOf: (said: number | undefined) => Promise<number>,
): Promise<Part> {
  answer.requireIdentity();
  const { subject, status } = answer;
  if (status === 416) {
    const size = await sizeOf(unsatisfied(answer));
    spanOf(range, size);
    throw invalid(subject, `refused a range that a blob of ${size} bytes has`);
  }
  if (status === 206) {
    const given = parseContentRange(answer);
    if (range === undefined || given === undefined) throw invalid(subject, 'a part of no range');
    const size = await sizeOf(given.total);
    const span = spanOf(range, size);
    if (given.first === span.start && given.last === span.end - 1) {
      return { size, span, skip: 0, rest: 'none' };
    }
    throw invalid(subject, `asked for bytes ${span.start}-${span.end - 1}, got others`);
  }
  if (!WHOLE.has(status)) throw invalid(subject, `answered ${status}, which comes without a blob`);
  const size = await sizeOf(lengthOf(answer.response.headers));
  const span = spanOf(range, size);
  return { size, span, skip: span.start, rest: span.end < size ? 'unwanted' : 'none' };
}

function ask(repository: string, digest: Digest): Ask {
  const path = `/v2/${repository}/blobs/${digest}`;
  return { method: 'GET', kind: 'blob', repository, path };
}

function rangeHeader(range: Range): string {
  return 'last' in range ? `bytes=-${range.last}` : `bytes=${range.from}-${range.to ?? ''}`;
}

function unsatisfied(answer: Answer): number | undefined {
  const total = /^bytes \*\/(\d{1,15})$/.exec(answer.header('content-range') ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** `bytes 0-9/100`; the total may be `*` (RFC 9110 section 14.4). */
function parseContentRange(answer: Answer) {
  const value = answer.header('content-range') ?? '';
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value) ?? [];
  if (first === undefined || last === undefined) return undefined;
  return {
    first: Number(first),
    last: Number(last),
    total: total === undefined || total === '*' ? undefined : Number(total),
  };
}

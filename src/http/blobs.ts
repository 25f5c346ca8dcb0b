import type { Digest } from '../core/digest.ts';
import { spanOf, type Range } from '../core/range.ts';
import type { Repository } from '../core/reference.ts';
import type { Blob, Source } from '../core/source.ts';
import { entityTag, matchesTag, type Fields } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { answerParts, planParts } from './multipart.ts';
import { isReversed, parseRanges } from './range.ts';
import { contentRange, send } from './send.ts';

const CONTENT_TYPE = 'application/octet-stream';

/** Distribution specification, "Pulling blobs", with ranges as in RFC 9110 section 14. */
export async function answerBlob(
  exchange: Exchange,
  source: Source,
  repository: Repository,
  digest: Digest,
): Promise<void> {
  exchange.kind = 'blob';
  exchange.reference = digest;
  const fields = {
    'Content-Type': CONTENT_TYPE,
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    ETag: entityTag(digest),
  };
  const open = (range?: Range): Promise<Blob> => source.blob(repository, digest, range);

  const cached = matchesTag(exchange.header('if-none-match'), fields.ETag);
  if (exchange.method === 'HEAD' || cached) {
    // Range has no meaning for HEAD (section 14.2), and knowing a blob must not fetch it.
    const { size, served } = await source.stat(repository, digest);
    exchange.served = served;
    if (cached) exchange.answer(304, { 'Docker-Content-Digest': digest, ETag: fields.ETag });
    else exchange.answer(200, { ...fields, 'Content-Length': size });
    return;
  }

  const ranges = rangesWanted(exchange, fields.ETag);
  const [first, ...others] = ranges ?? [];
  if (first !== undefined && isReversed(first)) {
    spanOf(first, (await source.stat(repository, digest)).size);
  }
  if (ranges === undefined || others.length === 0) {
    await answerSpan(exchange, await open(first), fields, first);
    return;
  }
  const { size, served } = await source.stat(repository, digest);
  const plan = planParts(ranges, size, CONTENT_TYPE);
  // Each part of what is not at hand could cost a request upstream; the whole blob costs one.
  const atHand = served === undefined || served.result === 'hit';
  if (plan === undefined || !atHand) await answerSpan(exchange, await open(), fields, undefined);
  else await answerParts(exchange, open, plan, fields);
}

/** `If-Range` (RFC 9110 section 13.1.5): ranges are for those who hold a part of this very content. */
function rangesWanted(exchange: Exchange, tag: string): readonly Range[] | undefined {
  const condition = exchange.header('if-range');
  if (condition !== undefined && condition !== tag) return undefined;
  return parseRanges(exchange.header('range'));
}

async function answerSpan(
  exchange: Exchange,
  opened: Blob,
  fields: Fields,
  range: Range | undefined,
): Promise<void> {
  await using blob = opened;
  exchange.served = blob.served;
  const { start, end } = blob.span;
  // The head of an empty answer is all of it: what has no bytes is believed first, and answered then.
  if (start === end) await send(exchange, blob);
  if (range === undefined) exchange.begin(200, fields, end - start);
  else exchange.begin(206, { ...fields, 'Content-Range': contentRange(blob) }, end - start);
  if (start < end) {
    // What is stored comes at once; what is fetched may let the client wait for its first byte.
    if (blob.served?.result !== 'hit') exchange.flush();
    await send(exchange, blob);
  }
  exchange.end();
}

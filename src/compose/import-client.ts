import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { asError, RegistryError } from '../core/errors.ts';
import { isDigest } from '../core/digest.ts';
import { isRecord } from '../core/shape.ts';
import { IMPORT_TYPE } from '../http/admin/import.ts';
import { STORE_HEADER } from '../http/admin/app.ts';
import type { Imported, ImportedImage } from '../image/bundle/import.ts';
import type { ImportQuery } from '../image/bundle/query.ts';
import { errorIn, type Server } from './admin-client.ts';

/** What a server tells of it. */
export type ImportedThere = Omit<Imported, 'places'>;

/**
 * Has a server import an archive, which is sent as fast as the server takes it. A chunk is of no more use to
 * it once it asks for the one after the next.
 * @throws RegistryError what the server said, STORAGE_UNAVAILABLE if it went away
 */
export async function importThrough(
  { url, store }: Server,
  query: ImportQuery,
  bytes: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<ImportedThere> {
  const sent = request(new URL('/api/v1/import', url), {
    method: 'POST',
    headers: { 'Content-Type': IMPORT_TYPE, [STORE_HEADER]: encodeURIComponent(store) },
    ...(signal !== undefined && { signal }),
  });
  const answered = answerTo(sent);
  // The server may say no before it has everything: what it says counts, not that it hung up.
  const sending = send(sent, query, bytes, answered);
  try {
    const [answer] = await Promise.all([answered, sending]);
    return importedIn(answer);
  } finally {
    sent.destroy();
  }
}

async function send(
  sent: ClientRequest,
  query: ImportQuery,
  bytes: AsyncIterable<Uint8Array>,
  answered: Promise<unknown>,
): Promise<void> {
  let over = false;
  const end = answered.then(
    () => (over = true),
    () => (over = true),
  );
  // What goes wrong with it is told by the answer, or by there being none.
  const write = (chunk: Uint8Array | string): Promise<void> =>
    new Promise((resolve) => void sent.write(chunk, () => resolve()));
  let leaving = write(`${JSON.stringify(query)}\n`);
  for await (const chunk of bytes) {
    await Promise.race([leaving, end]);
    if (over) return;
    leaving = write(chunk);
  }
  sent.end();
}

async function answerTo(sent: ClientRequest): Promise<unknown> {
  let response: IncomingMessage;
  try {
    [response] = (await once(sent, 'response')) as [IncomingMessage];
  } catch (cause) {
    const why = asError(cause).message;
    throw new RegistryError('STORAGE_UNAVAILABLE', `the server went away: ${why}`, { cause });
  }
  // Whatever becomes of the rest of what is sent, the answer has begun.
  sent.on('error', () => {});
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk as Uint8Array);
  let answer: unknown;
  try {
    answer = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    answer = undefined;
  }
  if (response.statusCode === 200) return answer;
  throw (
    errorIn(answer) ?? new RegistryError('UNKNOWN', `the server answered ${response.statusCode}`)
  );
}

const OUTCOMES = ['new', 'same', 'moved', 'stays'] as const;

function importedIn(answer: unknown): ImportedThere {
  const { images, blobs, bytes } = isRecord(answer) ? answer : {};
  const listed: unknown[] = Array.isArray(images) ? images : [];
  return {
    images: listed.flatMap((one) => imageIn(one) ?? []),
    blobs: Number(blobs ?? 0),
    bytes: Number(bytes ?? 0),
  };
}

function imageIn(value: unknown): ImportedImage | undefined {
  if (!isRecord(value)) return undefined;
  const { name, digest, outcome, without } = value;
  if (typeof name !== 'string' || typeof digest !== 'string' || !isDigest(digest)) return undefined;
  const known = OUTCOMES.find((one) => one === outcome);
  const left = Array.isArray(without) ? without.map(String) : [];
  return known && { name, digest, outcome: known, without: left };
}

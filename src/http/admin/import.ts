import type { IncomingMessage } from 'node:http';
import { asError, RegistryError } from '../../core/errors.ts';
import { readImportQuery, type ImportQuery } from '../../image/bundle/query.ts';

/** A line of JSON that says what is wanted, and behind it the archive. No page in a browser can send it. */
export const IMPORT_TYPE = 'application/vnd.layover.import';

/**
 * The body of a request to import, the archive read as it comes. Left early, what is left of it is read
 * by nobody, and the connection lives until the answer has been sent.
 * @throws RegistryError REQUEST_INVALID
 */
export async function importBody(
  incoming: IncomingMessage,
): Promise<{ readonly query: ImportQuery; readonly bytes: AsyncIterable<Uint8Array> }> {
  if (!(incoming.headers['content-type'] ?? '').startsWith(IMPORT_TYPE)) {
    throw new RegistryError('REQUEST_INVALID', `the body has to be ${IMPORT_TYPE}`);
  }
  return readImportQuery(chunksOf(incoming));
}

async function* chunksOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // Whoever gives up still has to be told why, over the same connection.
    yield* incoming.iterator({ destroyOnReturn: false });
  } catch (cause) {
    throw new RegistryError('INTERRUPTED', `the archive broke off: ${asError(cause).message}`, {
      cause,
    });
  }
}

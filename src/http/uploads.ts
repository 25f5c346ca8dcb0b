import type { Algorithm, Digest } from '../core/digest.ts';
import { parseDigest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Repository } from '../core/reference.ts';
import type { Hosted, Piece, UploadStatus } from '../hosted/hosted.ts';
import { uploadRange } from './answer.ts';
import { announced, bodyOf, hasBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { notAllowed } from './methods.ts';

/** What a write is about. */
export interface Writing {
  readonly hosted: Hosted;
  readonly repository: Repository;
  readonly query: URLSearchParams;
  /** The repository that a name of the same request means; `undefined` when there can be none. */
  readonly locate: (name: string) => Repository | undefined;
  /** Milliseconds without a byte after which a client is cut. */
  readonly silence?: number | undefined;
}

/** Both ends included, without a unit; some clients write it as HTTP has it. */
const CONTENT_RANGE = /^(?:bytes[ =])?(?<from>[0-9]{1,15})-(?<to>[0-9]{1,15})(?:\/(?:[0-9]+|\*))?$/;
const ALGORITHMS: readonly Algorithm[] = ['sha256', 'sha512'];

/** Distribution specification, "Pushing blobs": a mount, a whole blob, or the start of an upload. */
export async function answerUploads(exchange: Exchange, writing: Writing): Promise<void> {
  if (exchange.method !== 'POST') throw notAllowed(exchange.method, ['POST']);
  const { hosted, repository, query } = writing;
  const mounted = await mount(writing);
  if (mounted !== undefined) {
    blobPlaced(exchange, repository, mounted);
    return;
  }
  const digest = query.get('digest');
  if (digest !== null) {
    const piece = pieceOf(exchange, writing) ?? { body: nothing(), size: 0 };
    const placed = await hosted.uploads.whole(repository, parseDigest(digest), piece);
    blobPlaced(exchange, repository, placed.digest);
    return;
  }
  const algorithm = algorithmIn(query);
  const status = await hosted.uploads.start(repository, algorithm);
  exchange.answer(202, { ...goesOn(repository, status), 'Content-Length': 0 });
}

/** Distribution specification, "Pushing a blob in chunks" and "Cancel a blob upload". */
export async function answerUpload(
  exchange: Exchange,
  writing: Writing,
  id: string,
): Promise<void> {
  const { hosted, repository, query } = writing;
  const { uploads } = hosted;
  switch (exchange.method) {
    case 'GET':
    case 'HEAD': {
      const status = await uploads.status(repository, id);
      exchange.answer(204, goesOn(repository, status));
      return;
    }
    case 'PATCH': {
      const piece = pieceOf(exchange, writing) ?? { body: nothing(), size: 0 };
      const status = await uploads.append(repository, id, piece);
      exchange.answer(202, { ...goesOn(repository, status), 'Content-Length': 0 });
      return;
    }
    case 'PUT': {
      const digest = parseDigest(query.get('digest') ?? '');
      const piece = pieceOf(exchange, writing);
      const placed = await uploads.finish(repository, id, digest, piece);
      blobPlaced(exchange, repository, placed.digest);
      return;
    }
    case 'DELETE':
      await uploads.cancel(repository, id);
      exchange.answer(204, {});
      return;
    default:
      throw notAllowed(exchange.method, ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']);
  }
}

/** What cannot be mounted is uploaded, whatever the reason. */
async function mount({ hosted, repository, query, locate }: Writing): Promise<Digest | undefined> {
  const wanted = query.get('mount') ?? '';
  if (wanted === '') return undefined;
  const digest = parseDigest(wanted);
  const name = query.get('from') ?? '';
  const from = name === '' ? undefined : locate(name);
  if (name !== '' && from === undefined) return undefined;
  return (await hosted.mounts.mount(repository, digest, from))?.digest;
}

/** @throws RegistryError BLOB_UPLOAD_INVALID, SIZE_INVALID when the head contradicts itself */
function pieceOf(exchange: Exchange, { silence }: Writing): Piece | undefined {
  if (!hasBody(exchange.incoming)) return undefined;
  const body = bodyOf(exchange, silence);
  const cut = (): void => exchange.cut();
  const length = announced(exchange);
  const header = exchange.header('content-range');
  if (header === undefined) return { body, size: length, cut };
  const { from, to } = CONTENT_RANGE.exec(header)?.groups ?? {};
  const size = Number(to) - Number(from) + 1;
  if (Number.isNaN(size) || size < 1) {
    throw new RegistryError(
      'BLOB_UPLOAD_INVALID',
      `Content-Range is <first>-<last>, not ${JSON.stringify(header.slice(0, 80))}`,
    );
  }
  if (length !== undefined && length !== size) {
    throw new RegistryError(
      'SIZE_INVALID',
      `Content-Range has ${size} bytes, Content-Length ${length}`,
    );
  }
  return { body, from: Number(from), size, cut };
}

/** @throws RegistryError DIGEST_INVALID */
function algorithmIn(query: URLSearchParams): Algorithm | undefined {
  const name = query.get('digest-algorithm');
  if (name === null) return undefined;
  const algorithm = ALGORITHMS.find((known) => known === name);
  if (algorithm !== undefined) return algorithm;
  throw new RegistryError(
    'DIGEST_INVALID',
    `digest-algorithm is one of ${ALGORITHMS.join(', ')}, not ${JSON.stringify(name.slice(0, 80))}`,
  );
}

/** Without scheme and host: there may be a proxy in front, and clients refuse to be sent elsewhere. */
function goesOn({ path }: Repository, { id, offset }: UploadStatus): Record<string, string> {
  return {
    Location: `/v2/${path}/blobs/uploads/${id}`,
    Range: uploadRange(offset),
    'Docker-Upload-UUID': id,
  };
}

function blobPlaced(exchange: Exchange, { path }: Repository, digest: Digest): void {
  exchange.reference = digest;
  exchange.answer(201, {
    Location: `/v2/${path}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': 0,
  });
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

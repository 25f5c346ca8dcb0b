import { algorithmOf, isDigest, type Digest } from '../core/digest.ts';
import { RegistryError } from '../core/errors.ts';
import type { Answer } from './answer.ts';
import type { Ask } from './ask.ts';
import type { Effort, Endpoint } from './endpoint.ts';
import type { Streamed } from './exchange.ts';
import { invalid, UpstreamError, type Subject } from './failure.ts';
import { pushScope } from './scope.ts';
import type { Turns } from './turns.ts';

/** Where a blob goes, and how often and long each request may try. */
export interface Target {
  readonly endpoint: Endpoint;
  readonly repository: string;
  /** For small requests, each anew. */
  readonly brief: () => Effort;
  /** For those that carry content: one attempt that takes as long as it takes. */
  readonly lasting: () => Effort;
  /** For what is said in parting: one short attempt. */
  readonly last: () => Effort;
  /** Among all that is written to this registry. */
  readonly turns: Turns;
}

/** Statuses of a registry that no longer knows an upload, or no longer trusts its own notes of it. */
const GONE: ReadonlySet<string> = new Set(['400', '404', '405', '410', '416']);

/** A repository that is mounted from is named `from`; the answer to a mount may be that it is done. */
export async function startUpload(
  target: Target,
  mount?: { readonly digest: Digest; readonly from: string },
): Promise<Upload | 'mounted'> {
  const { endpoint, repository } = target;
  const query = mount === undefined ? '' : `?mount=${mount.digest}&from=${mount.from}`;
  const ask = askOf(target, 'POST', `/v2/${repository}/blobs/uploads/${query}`, mount?.from);
  return await endpoint.run(ask, target.brief(), async (answer) => {
    using read = answer;
    if (mount !== undefined && read.status === 201) {
      requireDigest(read, mount.digest);
      return 'mounted';
    }
    return new Upload(target, locationOf(read, endpoint.urlOf(ask.path)), read);
  });
}

/** One upload session (distribution specification, "Pushing blobs"): where it is, how far it has come. */
export class Upload {
  readonly #target: Target;
  #url: URL;
  #offset = 0;
  /** Bytes that the registry wants a chunk to have (`OCI-Chunk-Min-Length`). */
  readonly leastChunk: number;

  constructor(target: Target, url: URL, answer: Answer) {
    this.#target = target;
    this.#url = url;
    const least = /^\d{1,12}$/.exec(answer.header('oci-chunk-min-length') ?? '')?.[0];
    this.leastChunk = Number(least ?? 0);
  }

  /** Bytes that the registry has, as far as it told. */
  get offset(): number {
    return this.#offset;
  }

  /** Asks how far it has come; `undefined` when the registry has given it up. */
  async status(): Promise<number | undefined> {
    try {
      let known = false;
      await this.#run('GET', {}, 'brief', (answer) => {
        const offset = offsetOf(answer);
        known = offset !== undefined;
        this.#moved(answer, offset ?? 0);
      });
      return known ? this.#offset : undefined;
    } catch (error) {
      if (error instanceof UpstreamError && GONE.has(error.reason)) return undefined;
      throw error;
    }
  }

  /** Sends the bytes from the offset up to `end`. The registry may take fewer. */
  async chunk(end: number, body: Streamed): Promise<void> {
    const from = this.#offset;
    const headers = { 'content-range': `${from}-${end - 1}`, ...BINARY };
    await this.#run('PATCH', { headers, body }, 'lasting', (answer) => {
      this.#moved(answer, end);
      if (this.#offset > from && this.#offset <= end) return;
      throw invalid(answer.subject, `an upload stands at ${this.#offset} of ${end} bytes`);
    });
  }

  /** Ends the upload, with the bytes that are still missing, if any. */
  async finish(digest: Digest, body: Streamed | undefined): Promise<void> {
    const end = this.#offset + (body?.length ?? 0) - 1;
    const part = this.#offset > 0 && body !== undefined;
    const headers = { ...BINARY, ...(part && { 'content-range': `${this.#offset}-${end}` }) };
    const url = withDigest(this.#url, digest);
    const effort = body === undefined ? 'brief' : 'lasting';
    const extra = { url, headers, ...(body && { body }) };
    await this.#run('PUT', extra, effort, (answer) => requireDigest(answer, digest));
  }

  /** Tells the registry that nothing more will come. Whether it cares is its own business. */
  async cancel(): Promise<void> {
    try {
      await this.#run('DELETE', {}, 'last', () => {});
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
    }
  }

  #moved(answer: Answer, assumed: number): void {
    const location = answer.header('location');
    if (location !== undefined) this.#url = locationOf(answer, this.#url);
    const told = offsetOf(answer);
    // One byte is told like none.
    this.#offset = told === undefined || (told === 0 && assumed === 1) ? assumed : told;
  }

  async #run(
    method: Ask['method'],
    extra: Pick<Ask, 'url' | 'headers' | 'body'>,
    effort: 'brief' | 'lasting' | 'last',
    use: (answer: Answer) => void,
  ): Promise<void> {
    const target = this.#target;
    const ask = { ...askOf(target, method, ''), url: this.#url, ...extra };
    await target.endpoint.run(ask, target[effort](), async (answer) => {
      using read = answer;
      use(read);
    });
  }
}

const BINARY = { 'content-type': 'application/octet-stream' };

function askOf({ repository }: Target, method: Ask['method'], path: string, from?: string): Ask {
  return { method, kind: 'blob', repository, path, scope: pushScope(repository, from) };
}

/**
 * Where an upload goes on. Registries behind a TLS terminator often think they speak plain HTTP, so
 * the scheme of the same host is ours to know; elsewhere the way from https leads to https only.
 */
function locationOf(answer: Answer, from: URL): URL {
  const { subject } = answer;
  const url = URL.parse(answer.header('location') ?? '', from.href);
  if (url === null || answer.header('location') === undefined) {
    throw invalid(subject, 'the registry does not say where the upload goes on');
  }
  if (url.host === from.host) url.protocol = from.protocol;
  requireScheme(url, from, subject);
  return url;
}

function requireScheme(url: URL, from: URL, subject: Subject): void {
  if (url.protocol === 'https:' || (url.protocol === 'http:' && from.protocol === 'http:')) return;
  throw invalid(subject, `an upload goes on from ${from.protocol} to ${url.protocol}, refused`);
}

/** The query is the registry's own, often signed: it stays as it is, to the letter. */
function withDigest(url: URL, digest: Digest): URL {
  const complete = new URL(url);
  complete.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
  return complete;
}

/** `0-41`, in some registries `bytes=0-41`, means 42 bytes; but `0-0` means none ("Get Blob Upload Status"). */
function offsetOf(answer: Answer): number | undefined {
  const last = /^(?:bytes[= ])?0-(\d{1,15})$/.exec(answer.header('range') ?? '')?.[1];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}

/** @throws UpstreamError UPSTREAM_INVALID when the registry says that it has something else */
export function requireDigest(answer: Answer, digest: Digest): void {
  const said = answer.header('docker-content-digest');
  if (said === undefined || !isDigest(said) || said === digest) return;
  if (algorithmOf(said) !== algorithmOf(digest)) return;
  throw invalid(answer.subject, `the registry took ${digest} for ${said}`);
}

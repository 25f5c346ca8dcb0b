import { readAll, headerOf, type HttpResponse } from './exchange.ts';
import { connectionFailure, invalid, type Subject } from './failure.ts';
import type { Followed } from './redirect.ts';
import type { Origin } from './refusal.ts';

/** What a registry said in the end, redirects and challenges behind it. Whoever gets it reads or disposes it. */
export class Answer implements Disposable {
  readonly response: HttpResponse;
  readonly origin: Origin;
  readonly subject: Subject;

  constructor({ response, origin, subject }: Followed) {
    this.response = response;
    this.origin = origin;
    this.subject = subject;
  }

  get status(): number {
    return this.response.status;
  }

  header(name: string): string | undefined {
    return headerOf(this.response.headers, name);
  }

  /**
   * The next piece of the body, `undefined` at its end.
   * @throws UpstreamError when the connection ends or rests for too long
   */
  async next(): Promise<Uint8Array | undefined> {
    try {
      return await this.response.body.next();
    } catch (cause) {
      throw connectionFailure(cause, this.subject);
    }
  }

  /** The whole body. @throws UpstreamError also when it is longer than `limit` bytes */
  async read(limit: number): Promise<Uint8Array> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await readAll(this.response, limit);
    } catch (cause) {
      throw connectionFailure(cause, this.subject);
    }
    if (bytes !== undefined) return bytes;
    throw invalid(this.subject, `the answer is longer than ${limit} bytes`);
  }

  /** Whether the body, and the length that is told of it, are of the content as it is (RFC 9110 section 8.4). */
  get identity(): boolean {
    const encoding = this.header('content-encoding') ?? 'identity';
    return encoding.toLowerCase() === 'identity';
  }

  /** @throws UpstreamError for a body that is not sent as it is; nobody asked for that */
  requireIdentity(): void {
    if (this.identity) return;
    throw invalid(this.subject, 'the body is compressed on its way, which changes its bytes');
  }

  [Symbol.dispose](): void {
    this.response[Symbol.dispose]();
  }
}

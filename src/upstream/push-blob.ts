import type { Descriptor } from '../core/descriptor.ts';
import { isUnknown } from '../core/errors.ts';
import type { Content, Placement, PlaceOptions } from '../core/sink.ts';
import type { Ask } from './ask.ts';
import { UpstreamError } from './failure.ts';
import { Outgoing, type Pace } from './outgoing.ts';
import { pushScope } from './scope.ts';
import { startUpload, type Target, type Upload } from './upload.ts';

export interface PushOptions extends Pick<PlaceOptions, 'progress'> {
  /** The path of a repository of the same registry to be mounted from. */
  readonly from?: string | undefined;
  /** Bytes of a chunk; the whole blob at once if left out, until the registry has trouble with that. */
  readonly chunk?: number | undefined;
}

/** Bytes of a chunk: what is sent after a cut that lost everything, after a body that was too large, and at least. */
const AFTER_CUT = 64 * 1024 * 1024;
const AFTER_REFUSAL = 16 * 1024 * 1024;
const LEAST = 1024 * 1024;

/** Brings a blob into a repository: there already, mounted from another one, or sent. */
export async function pushBlob(
  target: Target,
  descriptor: Descriptor,
  content: Content,
  options: PushOptions = {},
): Promise<Placement> {
  if (await isPresent(target, descriptor)) return 'present';
  const begun = await begin(target, descriptor, options.from);
  if (begun === 'mounted') return begun;
  await using outgoing = new Outgoing(descriptor, content, options.progress ?? (() => {}));
  return await new Sending(target, descriptor, outgoing, begun, options.chunk).run();
}

async function isPresent(
  { endpoint, repository, brief }: Target,
  { digest }: Descriptor,
): Promise<boolean> {
  const ask: Ask = {
    method: 'HEAD',
    kind: 'blob',
    repository,
    path: `/v2/${repository}/blobs/${digest}`,
    scope: pushScope(repository),
    also: [405, 501],
  };
  try {
    return await endpoint.run(ask, brief(), async (answer) => {
      using read = answer;
      return read.status < 300;
    });
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}

/** With a mount where there is something to mount from; refusing that is no reason not to upload. */
async function begin(
  target: Target,
  { digest }: Descriptor,
  from: string | undefined,
): Promise<Upload | 'mounted'> {
  if (from === undefined || from === target.repository) return await start(target);
  try {
    return await startUpload(target, { digest, from });
  } catch (error) {
    const refused = error instanceof UpstreamError && error.retry === 'useless';
    if (!refused || error.reached === 'no' || error.reason === '429') throw error;
    return await start(target);
  }
}

async function start(target: Target): Promise<Upload> {
  const upload = await startUpload(target);
  if (upload !== 'mounted') return upload;
  throw new TypeError('a mount that nobody asked for');
}

/** One blob on its way, however many sessions and attempts it takes. */
class Sending {
  readonly #target: Target;
  readonly #descriptor: Descriptor;
  readonly #outgoing: Outgoing;
  #upload: Upload;
  #chunk: number;
  #pace: Pace = 'at-once';
  #failures = 0;
  /** Attempts are counted anew when this grows, which it cannot for ever. */
  #furthest = 0;

  constructor(
    target: Target,
    descriptor: Descriptor,
    outgoing: Outgoing,
    upload: Upload,
    chunk = Infinity,
  ) {
    this.#target = target;
    this.#descriptor = descriptor;
    this.#outgoing = outgoing;
    this.#upload = upload;
    this.#chunk = chunk;
  }

  async run(): Promise<Placement> {
    for (;;) {
      try {
        await this.#attempt();
        return 'written';
      } catch (error) {
        if ((await this.#recover(error)) === 'committed') return 'written';
      }
    }
  }

  async #attempt(): Promise<void> {
    const { size, digest } = this.#descriptor;
    if (size === 0) this.#outgoing.requireEmpty();
    const chunk = Math.max(this.#chunk, this.#upload.leastChunk);
    while (size - this.#upload.offset > chunk) {
      const end = this.#upload.offset + chunk;
      await this.#upload.chunk(end, this.#body(end));
    }
    const chunked = this.#upload.offset > 0 && this.#chunk !== Infinity;
    // In chunks to the end: who limits the size of one body need not take a last one with a digest.
    if (chunked && this.#upload.offset < size) await this.#upload.chunk(size, this.#body(size));
    await this.#upload.finish(digest, this.#upload.offset < size ? this.#body(size) : undefined);
  }

  #body(end: number) {
    const { offset } = this.#upload;
    const pace = this.#pace;
    return { length: end - offset, open: () => this.#outgoing.pieces(offset, end, pace) };
  }

  /** Makes ready for another attempt, or throws what there is no way around. */
  async #recover(error: unknown): Promise<'again' | 'committed'> {
    const failure = this.#outgoing.failure ?? error;
    if (!(failure instanceof UpstreamError)) return await this.#give(failure);
    if (failure === this.#outgoing.failure) {
      if (failure.retry === 'useless') return await this.#give(failure);
    } else if (failure.reason === '413') {
      if (!this.#smaller()) return await this.#give(failure);
      return await this.#anew();
    } else if (failure.retry === 'useless' && !this.#isLost(failure))
      return await this.#give(failure);
    if (this.#failures > this.#target.brief().retries) return await this.#give(failure);
    await this.#target.endpoint.rest(this.#failures, failure.reason);
    this.#failures += 1;
    this.#pace = 'warily';
    return await this.#goOn();
  }

  async #goOn(): Promise<'again' | 'committed'> {
    const offset = await this.#upload.status();
    if (offset !== undefined && offset <= this.#outgoing.known) {
      if (offset > this.#furthest) this.#failures = 0;
      this.#furthest = Math.max(this.#furthest, offset);
      return 'again';
    }
    // The answer that was lost may have been the last one.
    if (await isPresent(this.#target, this.#descriptor)) return 'committed';
    this.#chunk = Math.min(this.#chunk, AFTER_CUT);
    return await this.#anew();
  }

  async #anew(): Promise<'again'> {
    this.#upload = await start(this.#target);
    return 'again';
  }

  /** `false` when chunks cannot be smaller. */
  #smaller(): boolean {
    const floor = Math.max(LEAST, this.#upload.leastChunk);
    const before = Math.min(this.#chunk, this.#descriptor.size);
    const next = Math.max(floor, Math.min(AFTER_REFUSAL, Math.floor(before / 4)));
    if (next >= before) return false;
    this.#chunk = next;
    return true;
  }

  async #give(failure: unknown): Promise<never> {
    const pointless = failure instanceof UpstreamError && failure.reached === 'no';
    if (!pointless || failure === this.#outgoing.failure) await this.#upload.cancel();
    throw failure;
  }

  /** Whether the registry no longer knows the upload, or knows it otherwise than we do. */
  #isLost({ reason, code }: UpstreamError): boolean {
    if (reason === '404' || reason === '416' || code === 'BLOB_UPLOAD_INVALID') return true;
    // A registry may go on writing down what came before a cut, beside what is sent after it.
    return code === 'DIGEST_INVALID' && this.#pace === 'warily';
  }
}

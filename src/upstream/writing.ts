import type { Sink } from '../core/sink.ts';
import { Deadline, type Clock } from './clock.ts';
import type { Endpoint } from './endpoint.ts';
import type { Lanes } from './lanes.ts';
import { pushBlob } from './push-blob.ts';
import { pushManifest } from './push-manifest.ts';
import { removeBlob, removeManifest, removeTag, type Eraser } from './removal.ts';
import { Turns } from './turns.ts';
import type { Target } from './upload.ts';

export interface WritingOptions extends Lanes {
  /** The configured name. */
  readonly host: string;
  readonly endpoint: Endpoint;
  readonly retries: number;
  readonly clock: Clock;
  /** Milliseconds for an answer or an error, where no content is sent. */
  readonly budget: number;
  /** Bytes of a chunk; whole blobs if left out. */
  readonly chunk?: number | undefined;
}

/** Milliseconds for what is said in parting, and to wait for a place to upload from. */
const LAST = 3_000;
const TURN = 24 * 60 * 60_000;

/** What can be done to a registry. */
export function writing(options: WritingOptions): Eraser & { readonly sink: Sink } {
  const { host, endpoint, retries, clock, budget, chunk, enter } = options;
  const effort = (milliseconds: number, retries: number) => ({
    deadline: new Deadline(clock, milliseconds),
    retries,
  });
  const turns = new Turns();
  const target = (repository: string): Target => ({
    endpoint,
    turns,
    repository,
    brief: () => effort(budget, retries),
    lasting: () => effort(Infinity, 0),
    last: () => effort(LAST, 0),
  });
  const changing = async <T>(repository: string, task: (target: Target) => Promise<T>) => {
    using _place = await enter('small', new Deadline(clock, budget));
    return await task(target(repository));
  };
  return {
    sink: {
      async blob({ path }, descriptor, content, placing = {}) {
        const { from, progress } = placing;
        using _place = await enter('uploads', new Deadline(clock, TURN));
        return await pushBlob(target(path), descriptor, content, {
          // "The same place": what another registry holds cannot be mounted.
          from: from?.host === host ? from.path : undefined,
          progress,
          chunk,
        });
      },
      manifest: ({ path }, at, manifest) =>
        changing(path, (target) => pushManifest(target, at, manifest)),
    },
    removeTag: ({ path }, tag, otherwise) =>
      changing(path, (target) => removeTag(target, tag, otherwise)),
    removeManifest: ({ path }, digest) =>
      changing(path, (target) => removeManifest(target, digest)),
    removeBlob: ({ path }, digest) => changing(path, (target) => removeBlob(target, digest)),
  };
}

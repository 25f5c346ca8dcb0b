import assert from 'node:assert/strict';
import { RegistryError, type ErrorCode } from '../../src/core/errors.ts';
import { parseTag, type Repository } from '../../src/core/reference.ts';
import type { Blob } from '../../src/core/source.ts';
import type { Clock } from '../../src/upstream/clock.ts';
import type { UpstreamEvent } from '../../src/upstream/event.ts';
import { upstream, type Upstream, type UpstreamOptions } from '../../src/upstream/upstream.ts';
import type { Registry } from '../fixtures/registry.ts';

export const X: Repository = { host: 'example.test', path: 'library/x' };
export const V1 = parseTag('v1');

/** Time that passes only when somebody sleeps, and then at once. */
export interface TestClock extends Clock {
  pass(milliseconds: number): void;
}

export function testClock(): TestClock {
  let now = 1_000_000;
  return {
    now: () => now,
    sleep: async (milliseconds) => {
      now += milliseconds;
    },
    pass: (milliseconds) => {
      now += milliseconds;
    },
  };
}

export interface Observed extends Upstream {
  readonly events: readonly UpstreamEvent[];
  readonly clock: TestClock;
}

/** An upstream on the fixture, its events kept. */
export function connect(
  registry: Pick<Registry, 'url'>,
  options: Partial<UpstreamOptions> = {},
): Observed {
  const events: UpstreamEvent[] = [];
  const clock = testClock();
  const source = upstream({
    host: 'example.test',
    url: registry.url,
    mirrors: [],
    allowPrivate: ['127.0.0.2'],
    maxConnections: 4,
    retries: 2,
    timeouts: { connect: 5_000, headers: 5_000, idle: 5_000 },
    observe: (event) => events.push(event),
    clock,
    ...options,
  });
  return Object.assign(source, { events, clock });
}

export async function bytesOf(blob: Blob): Promise<Uint8Array> {
  await using closing = blob;
  const chunks: Uint8Array[] = [];
  for await (const chunk of closing.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The error of a promise that must fail with that code. */
export async function failure(promise: Promise<unknown>, code: ErrorCode): Promise<RegistryError> {
  let caught: unknown;
  try {
    await promise;
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof RegistryError, `expected ${code}, got ${String(caught)}`);
  assert.equal(caught.code, code, caught.message);
  return caught;
}

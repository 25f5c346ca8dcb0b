import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Mirrors in front of mirrors may lead in a circle. Each tells its name in the `Via` header (RFC 9110
 * section 7.6.3) together with those that it was told, and refuses a request that has been here before.
 * What else stands in `Via` is about the client's network, and goes no further.
 */
const NAME = /\blayover-[0-9a-f]{16}\b/g;

/** Mirrors one behind the other; more of them can only be a circle of ones that forget. */
const MOST = 20;

const came = new AsyncLocalStorage<readonly string[]>();

/** A name that no other running mirror has, and that says nothing of this one. */
export function nameForVia(): string {
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  return `layover-${randomBytes(8).toString('hex')}`;
}

/** The mirrors that a request came through, by its `Via` header. */
export function namesInVia(header: string): readonly string[] {
  return header.match(NAME) ?? [];
}

/** Whether a request that came through these leads in a circle at the one called `own`. */
export function isCircle(names: readonly string[], own: string): boolean {
  return names.includes(own) || names.length > MOST;
}

/** Does work for a request that came through these mirrors. What it begins and others wait for is included. */
export function cameThrough<T>(names: readonly string[], work: () => T): T {
  return came.run(names, work);
}

/** The `Via` header of a request that the work at hand makes as `own`. */
export function viaHeader(own: string): string {
  return [...(came.getStore() ?? []), own].map((name) => `1.1 ${name}`).join(', ');
}

/**
 * Loaded before anything else (`--import`): from `arm` on, counts every change that the process
 * makes to the file system, and kills it before the one that `KILL_AT` says.
 */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** One change, or a wait for the disk to have some. */
export interface Operation {
  readonly kind: string;
  /** From the store's root. */
  readonly name: string;
  readonly to?: string;
}

const killAt = Number(process.env['KILL_AT'] ?? Infinity);
let root: string | undefined;
const operations: Operation[] = [];

export function arm(folder: string): void {
  root = path.resolve(folder);
}

export function recorded(): readonly Operation[] {
  return operations;
}

/** Also remembers what somebody was told, at its place between the changes. */
export function record(operation: Operation): void {
  operations.push(operation);
}

function relative(name: unknown): string | undefined {
  if (root === undefined || typeof name !== 'string') return undefined;
  const inside = path.relative(root, name);
  return inside.startsWith('..') ? undefined : inside;
}

let count = 0;

function change(kind: string, name: string, to?: string): boolean {
  count += 1;
  operations.push({ kind, name, ...(to !== undefined && { to }) });
  return count === killAt;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}

type Call = (...given: unknown[]) => Promise<unknown>;
const patched = fs as unknown as Record<string, Call>;

for (const kind of ['rename', 'rm', 'rmdir', 'mkdir', 'utimes', 'writeFile']) {
  const original = patched[kind];
  if (original === undefined) continue;
  patched[kind] = (...given) => {
    const name = relative(given[0]);
    if (name !== undefined && change(kind, name, relative(given[1]))) {
      // What a write leaves that was cut off: half of it.
      const text = given[1];
      if (kind === 'writeFile' && typeof text === 'string') {
        writeFileSync(given[0] as string, text.slice(0, text.length / 2));
      }
      die();
    }
    return original(...given);
  };
}

const names = new WeakMap<object, string>();
const originalOpen = fs.open as unknown as (...given: unknown[]) => Promise<object>;
patched['open'] = async (...given) => {
  const name = relative(given[0]);
  const writes = typeof given[1] === 'string' && /[wax]/.test(given[1]);
  if (name !== undefined && writes && change('create', name)) die();
  const handle = await originalOpen(...given);
  if (name !== undefined) names.set(handle, name);
  return handle;
};

const probe = await originalOpen('/dev/null', 'r');
const handles = Object.getPrototypeOf(probe) as Record<string, Call>;
for (const kind of ['write', 'sync', 'datasync', 'truncate', 'chmod']) {
  const original = handles[kind];
  if (original === undefined) continue;
  handles[kind] = function (this: object, ...given) {
    const name = names.get(this);
    if (name !== undefined && change(kind, name)) die();
    return original.apply(this, given);
  };
}
await (probe as { close(): Promise<void> }).close();
syncBuiltinESMExports();

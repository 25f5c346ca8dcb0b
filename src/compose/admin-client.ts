import { systemCode, ERRORS, RegistryError, type ErrorCode } from '../core/errors.ts';
import { isRecord } from '../core/shape.ts';
import type { Collection } from '../hosted/collection.ts';
import type { Administration, Removed } from '../http/admin/administration.ts';
import { STORE_HEADER } from '../http/admin/app.ts';
import { lastHolder } from '../store/lock.ts';
import type { Paths } from '../store/paths.ts';

type Changes = Pick<Administration, 'evict' | 'prune' | 'collect' | 'pin' | 'unpin'>;

/** Where administration is asked, and for which store. */
export interface Server {
  readonly url: string;
  readonly store: string;
}

/** The server that runs on the store; `undefined` where none answers. */
export async function serverOn(paths: Paths): Promise<Server | undefined> {
  const address = lastHolder(paths)?.admin;
  if (address === undefined || address === '') return undefined;
  const server = { url: `http://${address}`, store: paths.root };
  // Who locked the store last may have ended long ago, and another server have the address by now.
  return (await asker(server)('GET', '/api/v1/pins')) === undefined ? undefined : server;
}

/** The administration of the server that runs on the store; `undefined` where none answers. */
export async function runningServer(paths: Paths): Promise<Changes | undefined> {
  const server = await serverOn(paths);
  if (server === undefined) return undefined;
  const ask = asker(server);
  const post = async (path: string, body: object): Promise<Readonly<Record<string, unknown>>> =>
    (await ask('POST', path, body)) ?? {};
  return {
    evict: async (to) => removedIn(await post('/api/v1/evict', { to })),
    async prune(query) {
      const answer = await post('/api/v1/prune', query);
      const images = Array.isArray(answer['images']) ? answer['images'].map(String) : [];
      return { ...removedIn(answer), images };
    },
    collect: async () => collectionIn(await post('/api/v1/gc', {})),
    pin: async (pattern) => outcomeIn(await post('/api/v1/pins', { pattern })),
    unpin: async (pattern) => outcomeIn(await post('/api/v1/unpin', { pattern })),
  };
}

type Ask = (
  method: string,
  path: string,
  body?: object,
) => Promise<Readonly<Record<string, unknown>> | undefined>;

/** `undefined`: nobody is there, or somebody else. @throws RegistryError what the server said */
function asker(server: Server): Ask {
  return async (method, path, body) => {
    let response: Response;
    try {
      response = await request(server, { method, path, ...(body && { body }) });
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (systemCode(cause) === 'ECONNREFUSED') return undefined;
      const message = `no administration at ${server.url}`;
      throw new RegistryError('STORAGE_UNAVAILABLE', message, { cause });
    }
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok && isRecord(answer)) return answer;
    const error = errorIn(answer);
    if (error === undefined || error.code === 'NOT_FOUND') return undefined;
    throw error;
  };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

/** The answer with its body still to come. @throws RegistryError what the server said instead of one */
export async function send(server: Server, asked: Asked): Promise<Response> {
  const response = await request(server, asked);
  if (response.ok) return response;
  const answer: unknown = await response.json().catch(() => undefined);
  throw errorIn(answer) ?? new RegistryError('UNKNOWN', `${server.url}: ${response.status}`);
}

function request({ url, store }: Server, { method, path, body, signal }: Asked): Promise<Response> {
  return fetch(new URL(path, url), {
    method,
    headers: { 'Content-Type': 'application/json', [STORE_HEADER]: encodeURIComponent(store) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  });
}

/** What a server says when it says no. */
export function errorIn(answer: unknown): RegistryError | undefined {
  const errors = isRecord(answer) ? answer['errors'] : undefined;
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (!isRecord(first) || typeof first['code'] !== 'string') return undefined;
  const { code } = first;
  return isCode(code) ? new RegistryError(code, String(first['message'])) : undefined;
}

export function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function removedIn({ blobs, bytes }: Readonly<Record<string, unknown>>): Removed {
  return { blobs: Number(blobs ?? 0), bytes: Number(bytes ?? 0) };
}

function outcomeIn({ outcome }: Readonly<Record<string, unknown>>): 'changed' | 'same' {
  return outcome === 'changed' ? 'changed' : 'same';
}

function collectionIn(answer: Readonly<Record<string, unknown>>): Collection {
  const count = (name: keyof Collection): number => Number(answer[name] ?? 0);
  const kept = isRecord(answer['kept']) ? Object.entries(answer['kept']) : [];
  return {
    manifests: count('manifests'),
    blobs: count('blobs'),
    freed: count('freed'),
    freedBytes: count('freedBytes'),
    inUse: count('inUse'),
    inUseBytes: count('inUseBytes'),
    kept: Object.fromEntries(kept.map(([why, found]) => [why, Number(found)])),
  };
}

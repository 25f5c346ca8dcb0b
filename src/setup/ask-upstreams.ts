import { asError, RegistryError } from '../core/errors.ts';
import { isHost } from '../core/reference.ts';
import { isRecord } from '../core/shape.ts';
import { get } from './request.ts';
import type { Mirrored } from './target.ts';

/** Milliseconds. */
const PATIENCE = 10_000;

/** What a running mirror says of itself. */
export interface Known {
  readonly version: string;
  /** Where names go that say no registry. */
  readonly defaultUpstream: string | undefined;
  readonly upstreams: readonly Mirrored[];
}

/** The path under which it says so. */
export const UPSTREAMS_PATH = '/api/v1/upstreams';

/** @throws RegistryError UPSTREAM_UNAVAILABLE, or UPSTREAM_INVALID where something else answers */
export async function askUpstreams(url: string, ca: string | undefined): Promise<Known> {
  const address = `${url}${UPSTREAMS_PATH}`;
  let body: string;
  try {
    ({ body } = await get(address, { ca, timeout: PATIENCE }));
  } catch (cause) {
    const { message } = asError(cause);
    throw new RegistryError('UPSTREAM_UNAVAILABLE', `no mirror answers at ${url}: ${message}`, {
      cause,
    });
  }
  const known = parseKnown(body);
  if (known !== undefined) return known;
  throw new RegistryError('UPSTREAM_INVALID', `what answers at ${url} is not Layover`);
}

/** `undefined` for anything that Layover would not say. */
export function parseKnown(body: string): Known | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { version, defaultUpstream, upstreams } = value;
  if (typeof version !== 'string' || !Array.isArray(upstreams)) return undefined;
  const parsed = upstreams.map(parseMirrored).filter((one) => one !== undefined);
  return {
    version,
    defaultUpstream: typeof defaultUpstream === 'string' ? defaultUpstream : undefined,
    upstreams: parsed,
  };
}

function parseMirrored(value: unknown): Mirrored | undefined {
  if (!isRecord(value)) return undefined;
  const { host, aliases } = value;
  // They become names of files: a server that is not to be trusted chooses none.
  if (typeof host !== 'string' || !isHost(host)) return undefined;
  const names: readonly unknown[] = Array.isArray(aliases) ? aliases : [];
  return {
    host,
    aliases: names.filter((name): name is string => typeof name === 'string' && isHost(name)),
  };
}

import { isDeepStrictEqual } from 'node:util';
import { formatAddress } from './address.ts';
import type { Config } from './config.ts';
import { isRecord, keyOf, type Path } from './tree.ts';

/** What sets a configuration apart from the one in effect. */
export interface Change {
  /** The new one, but for the keys that need a restart: those are as they were. */
  readonly config: Config;
  /** Keys with another value, as people write them. Never a value: it may be a secret. */
  readonly changed: readonly string[];
  /** The same, of keys that only a restart puts into effect. */
  readonly needRestart: readonly string[];
}

/** Holds a configuration against the one in effect. */
export function changeOf(before: Config, after: Config): Change {
  const config: Config = {
    ...after,
    listen: before.listen,
    tls: tlsOf(before.tls, after.tls),
    admin: { ...after.admin, listen: before.admin.listen },
    storage: { ...after.storage, path: before.storage.path },
  };
  return {
    config,
    changed: differences(before, config),
    needRestart: differences(config, after),
  };
}

/** Which files it is changes; whether there is TLS, and whether clients need a certificate, does not. */
function tlsOf(before: Config['tls'], after: Config['tls']): Config['tls'] {
  if (before === undefined || after === undefined) return before;
  const both = before.clientCa !== undefined && after.clientCa !== undefined;
  return { ...after, clientCa: both ? after.clientCa : before.clientCa };
}

/** The keys that differ, in the order of the configuration. */
function differences(before: Config, after: Config): readonly string[] {
  const inherited = new Set(keysOf(before.tags, after.tags, []).map(keyOf));
  return keysOf(written(before), written(after), []).flatMap((path) => {
    const [first, host, section, key] = path.map(String);
    const ofTags = first === 'upstreams' && section === 'tags' && key !== undefined;
    if (ofTags && inherited.has(key) && follows(before, after, String(host), key)) return [];
    return [keyOf(path)];
  });
}

/** With the keys that people write. */
function written(config: Config): object {
  return {
    ...config,
    listen: formatAddress(config.listen),
    admin: { ...config.admin, listen: formatAddress(config.admin.listen) },
    upstreams: new Map(
      [...config.upstreams].map(([host, upstream]) => {
        const { kind: _kind, ...given } = { kind: undefined, ...upstream.credentials };
        return [host, { ...upstream, credentials: given }];
      }),
    ),
  };
}

/** Whether an upstream has the key of `tags` from the configuration as a whole, before as after. */
function follows(before: Config, after: Config, host: string, key: string): boolean {
  return [before, after].every(({ tags, upstreams }) => {
    const own = upstreams.get(host)?.tags;
    return isRecord(own) && isRecord(tags) && own[key] === tags[key];
  });
}

function keysOf(before: unknown, after: unknown, path: Path): readonly Path[] {
  const [a, b] = [entriesOf(before), entriesOf(after)];
  if (a === undefined || b === undefined) {
    return isDeepStrictEqual(plain(before), plain(after)) ? [] : [path];
  }
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((key) =>
    keysOf(a.get(key), b.get(key), [...path, key]),
  );
}

function entriesOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) return new Map(value);
  return isRecord(value) ? new Map(Object.entries(value)) : undefined;
}

/** Without functions: what they do follows from the data beside them. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'function') return undefined;
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

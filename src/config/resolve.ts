import { parsePlatform } from '../core/platform.ts';
import type { ScheduleEntry } from '../image/prefetch/schedule.ts';
import type { TagPolicy } from '../mirror/policy.ts';
import type { Config, Upstream, UpstreamCredentials } from './config.ts';
import type { Parsed } from './schema.ts';
import { canonicalUrl } from './url.ts';

type Entry = Exclude<Parsed['upstreams'][string], 'off' | false | null>;

/** Makes the configuration of what the schema and the checks between keys let through. */
export function resolve(parsed: Parsed): Config {
  const { tls, defaultUpstream, prefetch, upstreams, ...rest } = parsed;
  const entries = Object.entries(upstreams).flatMap(([name, entry]) =>
    entry === null || typeof entry !== 'object' ? [] : [upstreamOf(name, entry, parsed.tags)],
  );
  return {
    ...rest,
    tls: tls && { cert: tls.cert, key: tls.key, clientCa: tls.clientCa },
    prefetch: prefetch.map(scheduled),
    defaultUpstream: entries.find(
      ({ host, aliases }) => host === defaultUpstream || aliases.includes(defaultUpstream),
    )?.host,
    upstreams: new Map(entries.map((entry) => [entry.host, entry])),
  };
}

function scheduled({ platforms, referrers, ...entry }: Parsed['prefetch'][number]): ScheduleEntry {
  return {
    ...entry,
    platforms: platforms.includes('all') ? 'all' : platforms.map(parsePlatform),
    referrers: referrers ? 'copied' : 'left-out',
  };
}

function upstreamOf(name: string, entry: Entry, tags: TagPolicy): Upstream {
  const { ca, cert, key, insecureSkipVerify } = entry.tls;
  return {
    ...entry,
    host: name,
    url: canonicalUrl(entry.url ?? `https://${name}`),
    mirrors: entry.mirrors.map(canonicalUrl),
    credentials: entry.credentials && credentialsOf(entry.credentials),
    tls: { ca, cert, key, insecureSkipVerify },
    proxy: entry.proxy,
    maxSize: entry.maxSize,
    tags: {
      freshFor: entry.tags.freshFor ?? tags.freshFor,
      revalidateWithin: entry.tags.revalidateWithin ?? tags.revalidateWithin,
      whenUnreachable: entry.tags.whenUnreachable ?? tags.whenUnreachable,
      whenDeleted: entry.tags.whenDeleted ?? tags.whenDeleted,
      notFoundFor: entry.tags.notFoundFor ?? tags.notFoundFor,
    },
  };
}

/** The schema has let through exactly one of the ways. */
function credentialsOf(given: NonNullable<Entry['credentials']>): UpstreamCredentials | undefined {
  const { username, password, passwordFile, passwordEnv, helper } = given;
  if (helper !== undefined) return { kind: 'helper', helper };
  if (username === undefined) return undefined;
  if (password !== undefined) return { kind: 'password', username, password };
  if (passwordFile !== undefined) return { kind: 'file', username, passwordFile };
  if (passwordEnv !== undefined) return { kind: 'environment', username, passwordEnv };
  return undefined;
}

import { RegistryError } from '../core/errors.ts';
import { isHost, type Reference } from '../core/reference.ts';
import { parseLocation, parseRegistered, type Location } from '../image/location.ts';
import { normalHost } from '../upstream/docker-host.ts';
import { asUsage, UsageError } from './usage-error.ts';

/** An image anywhere: in a registry, a folder or an archive. */
export const location = asUsage(parseLocation);

/** Any number of them. */
export const locations = (text: string, before: readonly Location[] = []): readonly Location[] => [
  ...before,
  location(text),
];

/** An image in a registry. */
export const reference = asUsage(parseRegistered);

/**
 * An image in a registry, with its tag or digest: nothing that is changed is meant by leaving it out.
 * @throws UsageError
 */
export function wholeReference(text: string): Reference {
  const { repository, at } = reference(text);
  if (at !== 'latest' || text.endsWith(':latest')) return { repository, at };
  throw new UsageError(`${text}: say which image is meant, by ${text}:TAG or ${text}@DIGEST`);
}

/** A registry, by any of its names: `docker.io`, `https://index.docker.io/v1/`, `localhost:5000`. */
export const registry = asUsage((text: string): string => {
  const host = normalHost(text);
  if (isHost(host)) return host;
  throw new RegistryError(
    'NAME_INVALID',
    `not a registry: ${JSON.stringify(text.slice(0, 160))}; such as docker.io, ghcr.io, localhost:5000`,
  );
});

import type { Location } from '../image/location.ts';
import type { Connection } from './connection.ts';
import { UsageError } from './usage-error.ts';

/** What shows who somebody is; several registries are never shown the same. */
const IDENTITY = [
  ['user', '--user'],
  ['password', '--password'],
  ['passwordStdin', '--password-stdin'],
  ['cert', '--cert'],
  ['key', '--key'],
] as const;

/** The registry that a location is read from or written to, if it is one. */
export function registryOf(location: Location): string | undefined {
  return location.kind === 'registry' ? location.reference.repository.host : undefined;
}

/**
 * @param registries those that a verb connects to; none stands for a folder, an archive or a store
 * @param instead what to do, given the flag that is refused
 * @throws UsageError where there are several, and the flags show all of them who somebody is
 */
export function forOneRegistry(
  connection: Connection,
  registries: readonly (string | undefined)[],
  instead: (flag: string) => string,
): void {
  const hosts = [...new Set(registries.filter((host) => host !== undefined))];
  const shown = IDENTITY.find(([name]) => connection[name] !== undefined);
  if (shown === undefined || hosts.length < 2) return;
  const [, flag] = shown;
  throw new UsageError(
    `${flag} is for one registry, and there are ${hosts.join(' and ')}; ${instead(flag)}`,
  );
}

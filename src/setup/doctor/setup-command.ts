import type { ClientName } from '../proposal.ts';
import { quotedForShell } from './shell.ts';
import type { Situation } from './check.ts';

export interface SetupCommand {
  /** `undefined`: whichever it is. */
  readonly client: ClientName | undefined;
  /** The mirror as it should be named, where that is another than now. */
  readonly mirror?: string;
  /** The authority's file, where none was given. */
  readonly ca?: string;
  readonly flags?: readonly string[];
}

/** The command that sets the client up where the doctor looked: with the options that the doctor was given. */
export function setupCommand(
  { mirror, given }: Pick<Situation, 'mirror' | 'given'>,
  { client, mirror: url = mirror.url, ca = given.ca, flags = [] }: SetupCommand,
): string {
  return [
    'layover setup',
    client ?? 'CLIENT',
    `--mirror ${url}`,
    ...(given.root === '/' ? [] : [`--root ${quotedForShell(given.root)}`]),
    ...(ca === undefined ? [] : [`--ca ${quotedForShell(ca)}`]),
    ...given.upstreams.map((host) => `--upstream ${host}`),
    ...flags,
    '--write',
  ].join(' ');
}

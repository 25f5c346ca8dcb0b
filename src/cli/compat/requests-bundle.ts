import { statSync } from 'node:fs';
import type { Connection } from '../connection.ts';
import type { Context } from '../context.ts';

/** In the order in which Python's requests looks at them. */
const VARIABLES = ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'] as const;

/**
 * The authorities that the environment names to programs written with Python's requests. It is set for
 * all of them, so it says nothing of the registry that is asked. Where it names a folder, which those programs
 * take as well, it is passed over.
 */
export function requestsBundle({
  environment,
}: Pick<Context, 'environment'>): Pick<Connection, 'cacert' | 'cacertFrom' | 'plainHttp'> {
  for (const cacertFrom of VARIABLES) {
    const cacert = environment[cacertFrom] || undefined;
    if (cacert !== undefined && !isFolder(cacert))
      return { cacert, cacertFrom, plainHttp: 'found-out' };
  }
  return {};
}

function isFolder(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
}

import type { Connection } from '../connection.ts';
import type { Context } from '../context.ts';

/** In the order in which Python's requests looks at them. */
const VARIABLES = ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'] as const;

/**
 * The authorities that the environment names to programs written with Python's requests. It is set for
 * all of them, so it says nothing of the registry that is asked.
 */
export function requestsBundle({
  environment,
}: Pick<Context, 'environment'>): Pick<Connection, 'cacert' | 'cacertFrom' | 'plainHttp'> {
  for (const cacertFrom of VARIABLES) {
    const cacert = environment[cacertFrom] || undefined;
    if (cacert !== undefined) return { cacert, cacertFrom, plainHttp: 'found-out' };
  }
  return {};
}

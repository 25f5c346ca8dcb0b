import type { ProxyOptions } from './dispatcher.ts';

/**
 * What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in lower case first, as curl reads them;
 * `undefined` when they name no proxy.
 */
export function environmentProxy(
  environment: Readonly<Record<string, string | undefined>>,
): ProxyOptions | undefined {
  const valueOf = (name: string): string =>
    environment[name.toLowerCase()] || environment[name] || '';
  const [http, https, none] = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].map(valueOf);
  if (!http && !https) return undefined;
  return { ...(http && { http }), ...(https && { https }), ...(none && { none }) };
}

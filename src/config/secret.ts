import type { Path } from './tree.ts';

/** What stands where a secret was. */
export const MASK = '********';

/** Whether the value at the path, or something inside it, may be a secret. */
function isSecret([first, , key, name]: Path): boolean {
  if (first !== 'upstreams') return false;
  if (key === 'credentials') return name === undefined || name === 'password';
  return key === 'proxy' || key === 'headers';
}

/**
 * The value as it may be shown to people: without passwords, without the userinfo of a proxy, and of
 * headers only the names, since any of them may carry a key.
 */
export function masked(value: unknown, path: Path): unknown {
  const [, , key, name] = path;
  if (!isSecret(path)) return value;
  if (key === 'credentials') return name === 'password' ? MASK : value;
  if (key === 'proxy') return maskedUrl(value);
  return typeof value === 'object' && value !== null ? maskedHeaders(value) : MASK;
}

function maskedHeaders(headers: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, MASK]));
}

function maskedUrl(value: unknown): unknown {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url === null || (url.username === '' && url.password === '')) return value;
  url.username = MASK;
  url.password = '';
  return url.href;
}

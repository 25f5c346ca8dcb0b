/** Says what is wrong with a registry's address; `undefined` when nothing is. */
export function urlFault(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text)) return 'has to begin with http:// or https://';
  const url = URL.parse(text);
  if (url === null) return 'is not a URL';
  if (url.username !== '' || url.password !== '') {
    return 'holds a user name; that belongs into credentials';
  }
  if (/[?#]/.test(text))
    return 'holds a query or fragment; scheme, host, port and path are allowed';
  if (/\/v2\/*$/.test(url.pathname)) return 'ends in /v2, which is added to every request anyway';
  return undefined;
}

/** As `URL` writes it (host in lower case, default port left out), without slashes at its end. */
export function canonicalUrl(text: string): string {
  return new URL(text).href.replace(/\/+$/, '');
}

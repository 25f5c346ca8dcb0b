/** What docker's files and helpers call Docker Hub. */
const HUB_SERVER = 'https://index.docker.io/v1/';
const HUB_NAMES: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
]);

/** The registry that a key of docker's files means: keys may have a scheme and a path, and Hub has many names. */
export function normalHost(key: string): string {
  const host = key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]?\/?$/, '')
    .replace(/\/+$/, '')
    .toLowerCase();
  return HUB_NAMES.has(host) ? 'docker.io' : host;
}

/** The name under which docker's credential helpers know a registry. */
export function helperServer(registryHost: string): string {
  const host = normalHost(registryHost);
  return host === 'docker.io' ? HUB_SERVER : host;
}

/** Registries whose API is not at the name that users write. What lscr.io redirects to wants a token, which never follows. */
const API_HOSTS: Readonly<Record<string, string>> = {
  'docker.io': 'registry-1.docker.io',
  'lscr.io': 'ghcr.io',
};

/** Where a registry's API is, for clients that nobody has configured anything for. */
export function apiHostOf(registryHost: string): string {
  return API_HOSTS[normalHost(registryHost)] ?? registryHost;
}

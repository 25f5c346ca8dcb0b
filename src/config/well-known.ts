/** What is configured for a registry before anyone says anything. */
export interface WellKnown {
  /** Left out where it is `https://` and the name. */
  readonly url?: string;
  readonly aliases?: readonly string[];
}

/**
 * The public registries that are mirrored unless the configuration takes them out. Only those whose
 * name is what people write in image references, that anyone may pull from without an account, and
 * that speak the distribution API.
 */
export const WELL_KNOWN: Readonly<Record<string, WellKnown>> = {
  'docker.io': {
    url: 'https://registry-1.docker.io',
    aliases: ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'],
  },
  'ghcr.io': {},
  'quay.io': {},
  'registry.k8s.io': {},
  'gcr.io': {},
  'mcr.microsoft.com': {},
  'public.ecr.aws': {},
  'registry.gitlab.com': {},
  'nvcr.io': {},
  'registry.access.redhat.com': {},
  'docker.elastic.co': {},
  // It redirects everything to ghcr.io, under the same names, and ghcr.io then wants a token, which
  // never follows a redirect to another host.
  'lscr.io': { url: 'https://ghcr.io' },
  'cgr.dev': {},
};

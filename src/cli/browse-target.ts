import { isHost, type Reference, type Repository } from '../core/reference.ts';
import { parseLocation, type Location } from '../image/location.ts';
import { normalHost } from '../upstream/docker-host.ts';
import { parseHosted } from './compat/hosted-reference.ts';
import { asUsage } from './usage-error.ts';

/** Where a walk begins. */
export type BrowseTarget = (
  | { readonly kind: 'registry'; readonly host: string }
  | { readonly kind: 'repository'; readonly repository: Repository }
  | { readonly kind: 'image'; readonly location: Location }
) & {
  /** What the scheme of a URL says. */
  readonly plainHttp?: boolean;
};

/**
 * Reads a registry, a repository or an image. A URL names a registry, alone or with what is in it;
 * without a scheme a registry has a dot or is localhost, and a repository has neither tag nor digest.
 * @throws UsageError
 */
export const browseTarget = asUsage((text: string): BrowseTarget => {
  const [, scheme, rest = ''] = /^(?:(https?):\/\/)?(.*?)\/*$/is.exec(text) ?? [];
  if (scheme !== undefined) {
    const plainHttp = scheme.toLowerCase() === 'http';
    if (isHost(rest)) return { ...registry(rest), plainHttp };
    // Behind a scheme the first part is the registry, whatever it looks like.
    const { repository, at } = parseHosted(rest);
    return { ...within({ repository, at }, rest), plainHttp };
  }
  const name = rest.replace(/:\d+$/, '');
  if (!rest.includes('/') && isHost(rest) && /^localhost$|\.|^\[/.test(name)) return registry(rest);
  return named(text);
});

const registry = (host: string): BrowseTarget => ({ kind: 'registry', host: normalHost(host) });

function named(text: string): BrowseTarget {
  const location = parseLocation(text);
  return location.kind === 'registry'
    ? within(location.reference, text)
    : { kind: 'image', location };
}

/** A name without tag and digest is that of all that the repository has. */
function within(reference: Reference, text: string): BrowseTarget {
  const last = text.slice(text.lastIndexOf('/') + 1);
  if (/[:@]/.test(last)) return { kind: 'image', location: { kind: 'registry', reference } };
  return { kind: 'repository', repository: reference.repository };
}

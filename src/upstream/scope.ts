/** What a token is asked for ("Token Scope Documentation" of distribution). Several are divided by spaces. */
export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

/** @param from a repository that is mounted from */
export function pushScope(repository: string, from?: string): string {
  const own = `repository:${repository}:pull,push`;
  return from === undefined ? own : `${own} ${pullScope(from)}`;
}

export function deleteScope(repository: string): string {
  return `repository:${repository}:delete,pull`;
}

export const CATALOG_SCOPE = 'registry:catalog:*';

/** For who wants to know no more than whether a password is right. */
export const NO_SCOPE = '';

/**
 * What to ask for after a challenge, which knows best what a resource is called but may name less
 * than is going to be needed: its own resources with our actions added, then those it left out.
 */
export function challengedScope(challenge: string | undefined, wanted: string): string {
  if (challenge === undefined || wanted === NO_SCOPE) return challenge ?? wanted;
  const ours = new Map(entriesOf(wanted));
  const merged = entriesOf(challenge).map(([resource, actions]) => {
    const more = ours.get(resource) ?? [];
    return [resource, [...new Set([...actions, ...more])]] as const;
  });
  const named = new Set(merged.map(([resource]) => resource));
  // The first of ours is what was challenged, by whichever name.
  const left = entriesOf(wanted).filter(([name], index) => index > 0 && !named.has(name));
  return [...merged, ...left]
    .map(([resource, actions]) => `${resource}:${actions.join(',')}`)
    .join(' ');
}

/** Each resource (its name may have a colon) and its actions. */
function entriesOf(scope: string): (readonly [string, readonly string[]])[] {
  return scope
    .split(' ')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const colon = entry.lastIndexOf(':');
      return [entry.slice(0, colon), entry.slice(colon + 1).split(',')] as const;
    });
}

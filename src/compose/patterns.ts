import type { Config } from '../config/config.ts';
import { RegistryError } from '../core/errors.ts';
import { parseImagePattern, type ImagePattern } from '../core/image-pattern.ts';

type Naming = Pick<Config, 'defaultUpstream' | 'hosted'>;

/**
 * A name as people type it, with its registry: one without means what lives here, where a pattern of
 * the configuration fits, and is left as it is then; otherwise the default one, as with clients.
 */
export function withRegistry({ defaultUpstream, hosted }: Naming, text: string): string {
  const [head = '', ...rest] = text.split('/');
  const first = rest.length > 0 ? head : (head.split(/[:@]/, 1)[0] ?? '');
  const registry = /[.*]/.test(first) || (rest.length > 0 && /:|^localhost$/.test(first));
  const library = defaultUpstream === 'docker.io' && rest.length === 0 ? 'library/' : '';
  const name = text.replace(/[:@][^/]*$/, '');
  const lives = rest.length > 0 && hosted.some((pattern) => pattern.matches(name));
  return registry || lives || defaultUpstream === undefined
    ? text
    : `${defaultUpstream}/${library}${text}`;
}

/** The same with the registry of every name: those out of files have theirs. */
export function named<T extends { readonly images: readonly string[] }>(
  naming: Naming,
  wanted: T,
): T {
  return { ...wanted, images: wanted.images.map((image) => withRegistry(naming, image)) };
}

/** The pattern that people have typed, with its registry. @throws RegistryError REQUEST_INVALID */
export function imagePattern(naming: Naming, text: string): ImagePattern {
  const found = parseImagePattern(withRegistry(naming, text));
  if (found !== undefined) return found;
  throw new RegistryError('REQUEST_INVALID', `not a pattern of images: ${JSON.stringify(text)}`);
}

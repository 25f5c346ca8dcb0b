import type { Config } from '../config/config.ts';
import { RegistryError } from '../core/errors.ts';
import { parseImagePattern, type ImagePattern } from '../core/image-pattern.ts';

/**
 * As people write names: without a registry they mean what lives here, where a pattern of the
 * configuration fits, and otherwise the default one, as clients do.
 * @throws RegistryError REQUEST_INVALID
 */
export function imagePattern(
  { defaultUpstream, hosted }: Pick<Config, 'defaultUpstream' | 'hosted'>,
  text: string,
): ImagePattern {
  const [head = '', ...rest] = text.split('/');
  const first = rest.length > 0 ? head : (head.split(/[:@]/, 1)[0] ?? '');
  const registry = /[.*]/.test(first) || (rest.length > 0 && /:|^localhost$/.test(first));
  const library = defaultUpstream === 'docker.io' && rest.length === 0 ? 'library/' : '';
  const name = text.replace(/[:@][^/]*$/, '');
  const lives = rest.length > 0 && hosted.some((pattern) => pattern.matches(name));
  const full =
    registry || lives || defaultUpstream === undefined
      ? text
      : `${defaultUpstream}/${library}${text}`;
  const found = parseImagePattern(full);
  if (found !== undefined) return found;
  throw new RegistryError('REQUEST_INVALID', `not a pattern of images: ${JSON.stringify(text)}`);
}

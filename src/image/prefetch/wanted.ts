import type { Digest } from '../../core/digest.ts';
import { RegistryError } from '../../core/errors.ts';
import { parseImagePattern } from '../../core/image-pattern.ts';
import { formatRepository, type Repository, type Tag } from '../../core/reference.ts';
import { parseReference } from '../location.ts';

/** What is asked for: one image, or those of a repository's tags that fit. */
export type Wanted =
  | { readonly text: string; readonly repository: Repository; readonly at: Tag | Digest }
  | {
      readonly text: string;
      readonly repository: Repository;
      readonly fits: (tag: Tag) => boolean;
    };

const PATTERN = /^(?<name>.*):(?<tag>[^/:@]*\*[^/:@]*)$/;

/**
 * Reads a reference as clients do (`nginx` is `docker.io/library/nginx:latest`), or one with `*` in
 * its tag, which stands for any characters.
 * @throws RegistryError NAME_INVALID
 */
export function parseWanted(text: string): Wanted {
  const { name, tag } = PATTERN.exec(text)?.groups ?? {};
  if (name === undefined || tag === undefined) {
    if (!text.includes('*')) return { text, ...parseReference(text) };
    throw invalid(text, '* may stand in the tag only: nobody can list what an upstream has');
  }
  if (name.includes('*')) throw invalid(text, '* may stand in the tag only');
  const { repository } = parseReference(name);
  const pattern = parseImagePattern(`${formatRepository(repository)}:${tag}`);
  if (pattern === undefined) throw invalid(text, 'what follows the last : is no pattern of tags');
  return { text, repository, fits: (tag) => pattern.byTag(repository, tag) };
}

/** Whether the image is one of those asked for. */
export function isWanted(wanted: Wanted, tag: Tag): boolean {
  return 'fits' in wanted ? wanted.fits(tag) : wanted.at === tag;
}

function invalid(text: string, what: string): RegistryError {
  return new RegistryError('NAME_INVALID', `${JSON.stringify(text.slice(0, 160))}: ${what}`);
}

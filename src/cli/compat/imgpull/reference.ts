import type { Digest } from '../../../core/digest.ts';
import { RegistryError } from '../../../core/errors.ts';
import {
  formatReference,
  type Reference,
  type Repository,
  type Tag,
} from '../../../core/reference.ts';
import { parseHosted } from '../hosted-reference.ts';

/** An image as imgpull names it. */
export interface ImgpullReference {
  /** Where it is asked for: the first of these that the registry knows. */
  readonly candidates: readonly Repository[];
  readonly at: Tag | Digest;
  /** What it is called in an archive: after the registry that a mirror stands for. */
  nameOf(repository: Repository): Reference;
  /** The image as messages name it. */
  readonly url: string;
}

/**
 * Reads imgpull's reference: the registry is never left out. A repository of one part is looked for
 * under `library/` in every registry, as Hub has it, and where that is nothing, as it was written. A
 * part with a dot behind the registry is the namespace, in the path: the image is called by it.
 * @throws RegistryError NAME_INVALID, TAG_INVALID
 */
export function parseImgpull(text: string, ns: string | undefined): ImgpullReference {
  const { written, repository, at } = parsed(text);
  const { host, path } = repository;
  const library = { host, path: `library/${path}` };
  const single = !path.includes('/');
  const hub = host === 'docker.io';
  const candidates = single ? [library, ...(hub ? [] : [repository])] : [repository];
  const [first = ''] = path.split('/');
  const inPath = ns === undefined && !single && first.includes('.');
  return {
    candidates,
    at,
    url: formatReference({ host: written, path }, at),
    nameOf({ path }) {
      if (!inPath) return { repository: { host: ns ?? written, path }, at };
      return { repository: { host: first, path: path.slice(first.length + 1) }, at };
    },
  };
}

function parsed(text: string) {
  try {
    return parseHosted(text);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    const shown = JSON.stringify(text.slice(0, 160));
    throw new RegistryError('NAME_INVALID', `unable to parse image url ${shown}`, { cause });
  }
}

import { statSync } from 'node:fs';
import { RegistryError, systemCode } from '../core/errors.ts';
import { formatReference, same, type Reference } from '../core/reference.ts';
import { UNNAMED } from '../image/archive/images.ts';
import type { Place } from '../image/archive/open-place.ts';
import type { Listed } from '../image/opened.ts';
import { location } from './arguments.ts';
import { UsageError } from './usage-error.ts';

/**
 * A folder or an archive as `push` is given it: by its kind, or by its path alone.
 * @throws UsageError; RegistryError NAME_UNKNOWN where there is nothing
 */
export function pushSource(text: string): Place {
  const known = /^(?:oci|oci-archive|docker-archive):/.test(text);
  const place = location(known ? text : `docker-archive:${text}`);
  if (place.kind === 'registry') throw new UsageError(`${text} is neither a file nor a folder`);
  if (known || place.kind === 'oci') return place;
  const { file, image } = place;
  return isFolder(file) ? { kind: 'oci', folder: file, ...(image && { image }) } : place;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    const code = systemCode(cause);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause;
    throw new RegistryError(
      'NAME_UNKNOWN',
      `there is no file or folder ${path}; "layover copy" takes images from registry to registry`,
    );
  }
}

/** One image of a place, and what it is called in the registry that it goes to. */
export interface Outgoing {
  readonly from: Reference;
  readonly to: Reference;
}

/**
 * Everything in a place under the names that it has there.
 * @throws UsageError where that is not enough to go by
 */
export function byTheirNames(images: readonly Listed[]): readonly Outgoing[] {
  const outgoing = images.flatMap(({ descriptor, names }): readonly Outgoing[] => {
    const whole = names.filter(({ repository }) => !same(repository, UNNAMED));
    if (whole.length > 0) return whole.map((name) => ({ from: name, to: name }));
    throw new UsageError(`${descriptor.digest} has no name of its own there: say what it is to be`);
  });
  const [first, ...others] = outgoing;
  if (first === undefined) throw new UsageError('there are no images in it');
  const elsewhere = others.find(({ to }) => to.repository.host !== first.to.repository.host);
  if (elsewhere === undefined) return outgoing;
  const [one, other] = [first, elsewhere].map(({ to }) => formatReference(to.repository, to.at));
  throw new UsageError(`${one} and ${other} belong to two registries: push them one by one`);
}

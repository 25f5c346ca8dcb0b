import { stat } from 'node:fs/promises';
import { RegistryError } from '../../core/errors.ts';
import type { Source } from '../../core/source.ts';
import type { Location } from '../location.ts';
import type { Listed, OpenedPlace } from '../opened.ts';
import type { Files } from './content.ts';
import { dockerArchive } from './docker-archive.ts';
import { dockerNames } from './docker-names.ts';
import { folderFiles, openFile } from './folder-files.ts';
import { pick } from './images.ts';
import { checkLayoutVersion, ociLayout, type Held } from './oci-layout.ts';
import { placeSource } from './place-source.ts';
import { notAnArchive, tarFiles } from './tar-files.ts';
import { plain, type UnpackOptions } from './unpack.ts';

/** A location that is no registry. */
export type Place = Exclude<Location, { readonly kind: 'registry' }>;

/** Everything that a folder or an archive holds. */
export interface PlaceContents extends AsyncDisposable {
  readonly source: Source;
  /** In the order of the place. */
  readonly images: readonly Listed[];
}

/**
 * Opens a folder or an archive for reading. What an archive holds decides how it is read: one that is
 * both docker's and an OCI layout is read as the layout, whose digests are those of the registry.
 * @throws RegistryError NAME_UNKNOWN if there is no such file; MANIFEST_INVALID if it is nothing of the
 *   kind; MANIFEST_UNKNOWN if it does not hold the image, or several where none is named
 */
export async function openPlace(place: Place, options: UnpackOptions = {}): Promise<OpenedPlace> {
  const contents = await readPlace(place, options);
  try {
    const { repository, at } = pick(pathOf(place), contents.images, place.image);
    return { ...contents, repository, at };
  } catch (error) {
    await contents[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same for all images of the place, whichever is named. @throws RegistryError */
export async function readPlace(place: Place, options: UnpackOptions = {}): Promise<PlaceContents> {
  const files =
    place.kind === 'oci'
      ? await folderFiles(place.folder)
      : await archiveFiles(place.file, options);
  try {
    const { images, open } = await held(files);
    return {
      source: placeSource({ place: files.name, images, open }),
      images,
      [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
    };
  } catch (error) {
    await files[Symbol.asyncDispose]();
    throw error;
  }
}

function pathOf(place: Place): string {
  return place.kind === 'oci' ? place.folder : place.file;
}

async function archiveFiles(file: string, options: UnpackOptions): Promise<Files> {
  const content = await openFile(file);
  if (content === undefined) throw new RegistryError('NAME_UNKNOWN', await noFile(file));
  return tarFiles(await plain(content, file, options), file);
}

/** Why nothing can be read there. */
async function noFile(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return `there is no file ${file}`;
  if (found.isDirectory()) return `${file} is a folder; oci:FOLDER reads one`;
  const what = found.isFIFO() || found.isSocket() ? 'pipe' : 'device';
  return `${file} is a ${what}: an archive is read in several places, so save it as a file first`;
}

/** What the files amount to. @throws RegistryError MANIFEST_INVALID if that is nothing */
export async function held(files: Files): Promise<Held> {
  await checkLayoutVersion(files);
  const layout = await ociLayout(files);
  if (layout !== undefined) return dockerNames(files, layout);
  const archive = await dockerArchive(files);
  if (archive !== undefined) return archive;
  throw notAnArchive(files.name, 'it has neither an index.json nor a manifest.json');
}

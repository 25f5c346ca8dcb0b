import { isIndexType, parseImageManifest } from '../../core/image-manifest.ts';
import { atDigest, parseTag, type Reference } from '../../core/reference.ts';
import type { Write } from '../../core/source.ts';
import { parseReference } from '../location.ts';
import type { OpenedSink } from '../opened.ts';
import { UNNAMED } from './images.ts';
import { LayoutSink } from './layout-sink.ts';
import { LAYOUTS, type LayoutName } from './layouts.ts';
import type { Place } from './open-place.ts';
import { Output } from './output.ts';
import { TarSink } from './tar-sink.ts';

export interface SinkOptions {
  /** What an image is called for which the place says no name: where it came from. */
  readonly name?: Reference | undefined;
  /** How a docker archive is laid out; docker's own way when left out. */
  readonly layout?: Exclude<LayoutName, 'oci'> | undefined;
  /** Where the archive of the file `-` or `/dev/stdout` goes, whole; left out, `-` is a file. */
  readonly stdout?: Write | undefined;
  /** Ends writing at the next chunk. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a folder or an archive for writing. An archive that is there is replaced, a layout in a folder
 * is added to.
 * @throws RegistryError STORAGE_UNAVAILABLE for a target that cannot be written
 */
export async function openSink(place: Place, options: SinkOptions = {}): Promise<OpenedSink> {
  const named = nameFor(place, options.name);
  switch (place.kind) {
    case 'oci':
      return folderSink(place.folder, named, options);
    case 'oci-archive':
      return archiveSink(place.file, 'oci', named, options);
    case 'docker-archive':
      return archiveSink(place.file, options.layout ?? 'docker', named, options);
  }
}

async function folderSink(
  folder: string,
  named: Reference,
  options: SinkOptions,
): Promise<OpenedSink> {
  const sink = await LayoutSink.open(folder, options.signal);
  return {
    sink,
    ...named,
    async commit() {
      options.signal?.throwIfAborted();
      await sink.commit();
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
}

async function archiveSink(
  file: string,
  layout: LayoutName,
  named: Reference,
  { signal, stdout }: SinkOptions,
): Promise<OpenedSink> {
  const output = await Output.open(file, { signal, stdout });
  const rules = LAYOUTS[layout];
  const sink = new TarSink(output, rules, signal);
  return {
    sink,
    ...named,
    check({ bytes, descriptor }, name) {
      if (!isIndexType(descriptor.mediaType)) rules.check(parseImageManifest(bytes), name);
    },
    async commit() {
      signal?.throwIfAborted();
      await sink.finish();
      await output.commit();
    },
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

/** In a docker archive a word alone is a name, as docker reads it; in an OCI layout it is a tag. */
function nameFor({ kind, image }: Place, source: Reference | undefined): Reference {
  const otherwise = source ?? { repository: UNNAMED, at: parseTag('latest') };
  if (image === undefined) return otherwise;
  if (typeof image !== 'string') return image;
  if (atDigest(image)) return { repository: otherwise.repository, at: image };
  return kind === 'docker-archive' ? parseReference(image) : { repository: UNNAMED, at: image };
}

import type { Descriptor } from '../../core/descriptor.ts';
import { parseManifest } from '../../core/manifest.ts';
import { MEDIA_TYPES } from '../../core/media-type.ts';
import { formatReference, same, type Reference } from '../../core/reference.ts';
import { isRecord, isTextRecord } from '../../core/shape.ts';
import { UNNAMED } from './images.ts';
import { CONTAINERD_NAME, REF_NAME } from './oci-layout.ts';
import type { Named } from './received.ts';

/** An entry of `index.json`, with whatever others have put into it. */
type Entry = Readonly<Record<string, unknown>>;

export const LAYOUT_MARKER = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/**
 * The `index.json` of an OCI image layout with these images in it, besides what `before` lists. A name
 * moves to what it was last given to, as a tag does; what had it keeps its entry without it only where
 * it would be gone otherwise.
 * @throws RegistryError MANIFEST_INVALID for a `before` that is no JSON object
 */
export function indexWith(before: Uint8Array | undefined, images: readonly Named[]): Buffer {
  const index = before === undefined ? {} : parseManifest(before);
  const listed = Array.isArray(index['manifests']) ? index['manifests'] : [];
  let entries: readonly Entry[] = listed.filter((entry: unknown) => isRecord(entry));
  for (const { manifest, names } of images) {
    for (const name of names.length > 0 ? names : [undefined]) {
      entries = withEntry(entries, manifest.descriptor, name);
    }
  }
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      ...index,
      manifests: entries,
    }),
  );
}

function withEntry(
  entries: readonly Entry[],
  { mediaType, digest, size }: Descriptor,
  name: Reference | undefined,
): readonly Entry[] {
  if (name === undefined) {
    const there = entries.some((entry) => entry['digest'] === digest);
    return there ? entries : [...entries, { mediaType, digest, size }];
  }
  const others = entries.filter((entry) => !isCalled(entry, name));
  // The same image without a name would only be in the way.
  const rest = others.filter((entry) => entry['digest'] !== digest || textsOf(entry).length > 0);
  return [...rest, { mediaType, digest, size, annotations: annotationsFor(rest, name) }];
}

/**
 * The tag, as docker and skopeo look for it, and the whole name, as containerd does. Two names with
 * one tag are told apart by the whole name alone.
 */
function annotationsFor(
  entries: readonly Entry[],
  { repository, at }: Reference,
): Readonly<Record<string, string>> {
  if (same(repository, UNNAMED)) return { [REF_NAME]: at };
  const whole = formatReference(repository, at);
  const taken = entries.some((entry) => annotationsOf(entry)[REF_NAME] === at);
  return { [CONTAINERD_NAME]: whole, [REF_NAME]: taken ? whole : at };
}

function isCalled(entry: Entry, { repository, at }: Reference): boolean {
  const { [CONTAINERD_NAME]: whole, [REF_NAME]: name } = annotationsOf(entry);
  if (same(repository, UNNAMED)) return name === at;
  const wanted = formatReference(repository, at);
  return (whole ?? name) === wanted;
}

function textsOf(entry: Entry): readonly string[] {
  const { [CONTAINERD_NAME]: whole, [REF_NAME]: name } = annotationsOf(entry);
  return [whole, name].filter((text) => text !== undefined);
}

function annotationsOf({ annotations }: Entry): Readonly<Record<string, string | undefined>> {
  return isTextRecord(annotations) ? annotations : {};
}

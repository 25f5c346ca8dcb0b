import { parseDescriptor, type Descriptor } from './descriptor.ts';
import { parseManifest } from './manifest.ts';
import { platformOf, type Platform } from './platform.ts';

/** One line of an image index or manifest list. */
export interface IndexEntry extends Descriptor {
  /** Absent where the entry states none, as with artifacts. */
  readonly platform?: Platform;
}

/**
 * The entries of an image index or manifest list, in their order; malformed ones are left out.
 * @throws RegistryError MANIFEST_INVALID if the bytes are not a JSON object
 */
export function entriesOf(bytes: Uint8Array): readonly IndexEntry[] {
  const listed = parseManifest(bytes)['manifests'];
  return Array.isArray(listed) ? listed.flatMap((value: unknown) => entryOf(value) ?? []) : [];
}

function entryOf(value: unknown): IndexEntry | undefined {
  const descriptor = parseDescriptor(value);
  if (descriptor === undefined) return undefined;
  const platform = platformOf((value as { readonly platform?: unknown }).platform);
  return { ...descriptor, ...(platform !== undefined && { platform }) };
}

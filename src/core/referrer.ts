import { parseDescriptor, type Descriptor } from './descriptor.ts';
import { parseManifest } from './manifest.ts';
import { isRecord } from './shape.ts';

/** A descriptor in a list of referrers (image-spec descriptor.md): all of it goes on to whoever asks, as it was stated. */
export interface Referrer extends Descriptor {
  readonly urls?: readonly string[];
  /** Base64. */
  readonly data?: string;
  readonly platform?: Readonly<Record<string, unknown>>;
}

/** `undefined` for anything that is not a descriptor. */
export function parseReferrer(value: unknown): Referrer | undefined {
  const descriptor = parseDescriptor(value);
  if (descriptor === undefined || !isRecord(value)) return undefined;
  const { urls, data, platform } = value;
  return {
    ...descriptor,
    ...(isTexts(urls) && { urls }),
    ...(typeof data === 'string' && { data }),
    ...(isRecord(platform) && { platform }),
  };
}

/**
 * Those that an index lists; malformed entries are left out.
 * @throws RegistryError MANIFEST_INVALID if the bytes are not a JSON object
 */
export function referrersIn(bytes: Uint8Array): readonly Referrer[] {
  const listed = parseManifest(bytes)['manifests'];
  return Array.isArray(listed) ? listed.flatMap((entry) => parseReferrer(entry) ?? []) : [];
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

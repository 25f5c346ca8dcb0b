import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';

/** One line of a docker archive's `manifest.json`. Paths are within the archive. */
export interface DockerImage {
  readonly config: string;
  readonly names: readonly string[];
  /** The base first. */
  readonly layers: readonly string[];
}

/**
 * Reads `manifest.json`, with docker's keys (`Config`) or imgpull's (`config`).
 * @throws RegistryError MANIFEST_INVALID
 */
export function parseDockerManifest(bytes: Uint8Array, place: string): readonly DockerImage[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', `${place}: manifest.json is not JSON`, { cause });
  }
  const images = Array.isArray(value) ? value.map((entry: unknown) => imageOf(entry)) : [];
  const whole = images.filter((image) => image !== undefined);
  if (whole.length === images.length && images.length > 0) return whole;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${place}: manifest.json is no list of images with Config and Layers`,
  );
}

function imageOf(value: unknown): DockerImage | undefined {
  if (!isRecord(value)) return undefined;
  const config = value['Config'] ?? value['config'];
  const names = value['RepoTags'] ?? value['repoTags'] ?? [];
  const layers = value['Layers'] ?? value['layers'] ?? [];
  return typeof config === 'string' && isTexts(names) && isTexts(layers)
    ? { config, names, layers }
    : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

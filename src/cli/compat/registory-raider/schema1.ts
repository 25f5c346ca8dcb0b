import { parseDescriptor, type Descriptor } from '../../../core/descriptor.ts';
import { isUnknown, RegistryError } from '../../../core/errors.ts';
import { parseManifest, type Manifest } from '../../../core/manifest.ts';
import { MEDIA_TYPES } from '../../../core/media-type.ts';
import type { Repository } from '../../../core/reference.ts';
import { isRecord } from '../../../core/shape.ts';
import type { Source } from '../../../core/source.ts';
import { parseImageConfig } from '../../../image/image-config.ts';
import { runFacts, type Pictured } from './screens.ts';

export function isSchema1({ descriptor: { mediaType } }: Manifest): boolean {
  return mediaType === MEDIA_TYPES.dockerSchema1 || mediaType === MEDIA_TYPES.dockerSchema1Signed;
}

/**
 * An image of docker's schema 1 (distribution manifest-v2-1.md): layers and steps, both the newest
 * first, each step with a config of its own. Sizes are asked of the registry.
 * @throws RegistryError MANIFEST_INVALID for layers without a digest
 */
export async function schema1(
  source: Source,
  repository: Repository,
  { bytes }: Manifest,
): Promise<Pictured> {
  const { architecture, fsLayers, history } = parseManifest(bytes);
  const steps = (Array.isArray(history) ? history : []).map(stepOf);
  const [newest] = steps;
  const layers: Descriptor[] = [];
  for (const layer of Array.isArray(fsLayers) ? fsLayers : []) {
    layers.push(await described(source, repository, layer));
  }
  const config = parseImageConfig(Buffer.from(JSON.stringify(newest ?? {})));
  return {
    facts: [
      ['architecture:', textOf(architecture)],
      ['os:', textOf(newest?.['os'])],
      ...runFacts(config),
      ['id:', textOf(newest?.['id'])],
      ['parent:', textOf(newest?.['parent'])],
    ],
    notes: steps.length > 0 && newest === undefined ? ['[Could not parse v1Compatibility]'] : [],
    steps: steps.map((step) => (step === undefined ? '(could not parse layer)' : commandOf(step))),
    layers: layers.toReversed(),
  };
}

function stepOf(entry: unknown): Readonly<Record<string, unknown>> | undefined {
  const text = isRecord(entry) ? entry['v1Compatibility'] : undefined;
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function commandOf({ container_config: run }: Readonly<Record<string, unknown>>): string {
  const command: unknown = isRecord(run) ? run['Cmd'] : undefined;
  return Array.isArray(command) ? command.map(String).join(' ') : '(no command)';
}

async function described(
  source: Source,
  repository: Repository,
  layer: unknown,
): Promise<Descriptor> {
  const found = parseDescriptor({
    mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    digest: isRecord(layer) ? layer['blobSum'] : undefined,
    size: 0,
  });
  if (found === undefined) {
    throw new RegistryError('MANIFEST_INVALID', 'a layer of the manifest has no digest');
  }
  try {
    return { ...found, size: (await source.stat(repository, found.digest)).size };
  } catch (error) {
    // It is shown all the same, and told again when it is to be saved.
    if (isUnknown(error)) return found;
    throw error;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

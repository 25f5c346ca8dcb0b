import { RegistryError } from '../../../core/errors.ts';
import { isRecord } from '../../../core/shape.ts';
import type { Source } from '../../../core/source.ts';
import { readSmallBlob } from '../../../image/small-blob.ts';
import type { Chosen } from '../../../image/choose.ts';
import { checkSignal } from '../../../image/files/image-layers.ts';
import { UpstreamError } from '../../../upstream/failure.ts';
import { pythonOf } from '../python.ts';
import { shortOf } from './in-order.ts';
import { parseCrpy } from './reference.ts';
import { imageAt, imageOf, session, type Command } from './session.ts';

/**
 * `crpy manifest URL`: as Python prints it. What a registry says instead, where it has no such
 * manifest, is printed as well, and is no failure: scripts look at that.
 */
export async function crpyManifest(command: Command): Promise<void> {
  const { values, context } = command;
  const architecture = values.get('architecture');
  if (values.has('fat') && architecture !== undefined) {
    throw new RegistryError('REQUEST_INVALID', 'Cannot provide --fat and --architecture together.');
  }
  const target = parseCrpy(values.get('url') ?? '');
  const image = imageOf(target, 'Repository must be provided to show a manifest!');
  await using client = await session(target, command);
  const { source } = await client.open({ kind: 'registry', reference: image });
  const read = async (): Promise<string> => {
    const { manifest } = values.has('fat')
      ? { manifest: await source.manifest(image.repository, image.at) }
      : await imageAt(source, image, target, architecture);
    return textOf(manifest.bytes);
  };
  context.output.out(`${pythonOf(await read().catch(saidInstead))}\n`);
}

/** The error document that came instead of a manifest. @throws every other error */
function saidInstead(error: unknown): string {
  if (!(error instanceof UpstreamError) || error.said === undefined) throw error;
  return JSON.stringify({ errors: error.said });
}

/** `crpy config URL` */
export async function crpyConfig(command: Command): Promise<void> {
  const config = await configOf(command);
  command.context.output.out(`${pythonOf(config)}\n`);
}

/** `crpy commands URL`: what made each layer, a line a command as it was recorded. */
export async function crpyCommands(command: Command): Promise<void> {
  const config: unknown = JSON.parse(await configOf(command));
  const history = isRecord(config) && Array.isArray(config['history']) ? config['history'] : [];
  for (const entry of history.filter(isRecord)) {
    const { created_by: by } = entry;
    command.context.output.out(`${typeof by === 'string' ? by : ''}\n`);
  }
}

/** `crpy layer URL REF`: its bytes as they are stored, which are checked on the way. */
export async function crpyLayer(command: Command): Promise<void> {
  const { values, context } = command;
  await withImage(command, async ({ image, source, repository }) => {
    const index = layerIn(image, values.get('layer_reference') ?? '');
    const layer = image.layers[index];
    if (layer === undefined) throw new RangeError(`no layer ${index}`);
    await using blob = await source.blob(repository, layer.digest);
    if (blob.local === layer.size) {
      context.output.error(`Using cache for layer ${shortOf(layer.digest)}\n`);
    }
    const signal = context.interruption.listen();
    // The cache that it comes through, and be it of no use, hands on right bytes only.
    for await (const chunk of blob.body) {
      checkSignal(signal);
      await context.output.bytes(chunk);
    }
  });
}

type Found = Pick<Chosen, 'image'> & {
  readonly source: Source;
  readonly repository: Parameters<Source['blob']>[0];
};

async function withImage<T>(command: Command, use: (found: Found) => Promise<T>): Promise<T> {
  const target = parseCrpy(command.values.get('url') ?? '');
  const reference = imageOf(target, 'Repository must be provided!');
  await using client = await session(target, command);
  const { source } = await client.open({ kind: 'registry', reference });
  const { image } = await imageAt(source, reference, target, undefined);
  return await use({ image, source, repository: reference.repository });
}

function configOf(command: Command): Promise<string> {
  return withImage(command, async ({ image, source, repository }) =>
    textOf(await readSmallBlob(source, repository, image.config)),
  );
}

/** A position, counted from either end, or a part of a digest; so many digits can only be the latter. */
function layerIn({ layers }: Chosen['image'], reference: string): number {
  const position = /^\s*[+-]?\d{1,5}\s*$/.test(reference) ? Number(reference) : undefined;
  const index =
    position === undefined
      ? layers.findIndex(({ digest }) => reference !== '' && digest.includes(reference))
      : position < 0
        ? position + layers.length
        : position;
  if (layers[index] !== undefined) return index;
  throw new RegistryError(
    'BLOB_UNKNOWN',
    `There is no layer ${reference}; there are ${layers.length}: ${layers.map(({ digest }) => digest).join(', ')}`,
  );
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

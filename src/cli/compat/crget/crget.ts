import path from 'node:path';
import { RegistryError } from '../../../core/errors.ts';
import { hostPlatform } from '../../../core/platform.ts';
import type { Source } from '../../../core/source.ts';
import type { Chosen } from '../../../image/choose.ts';
import { isFolder } from '../../../image/files/disk.ts';
import type { Context } from '../../context.ts';
import { opening } from '../../opening.ts';
import { told } from '../../told.ts';
import { helpOf, usageOf } from '../argparse-help.ts';
import { ArgumentError, parseArguments, type Arguments } from '../argparse.ts';
import { chosenOf, platformsOf } from '../chosen.ts';
import { HINTS } from '../hints.ts';
import { requestsBundle } from '../requests-bundle.ts';
import { parseHosted, type HostedReference } from '../hosted-reference.ts';
import { extractFile, extractLayer } from './extract.ts';
import { GRAMMAR } from './grammar.ts';
import { logTo, Refusal, type Log } from './log.ts';
import { loginFor } from './settings.ts';

/** crget's command line: everything it says goes where errors go, and nothing to standard output. */
export async function crget(line: readonly string[], context: Context): Promise<number> {
  const { output, interruption } = context;
  const log = logTo(output);
  try {
    const parsed = parseArguments(GRAMMAR, line);
    if (parsed === undefined) output.out(helpOf(GRAMMAR));
    else await run(parsed, context, log);
    return 0;
  } catch (error) {
    if (interruption.aborted) throw error;
    if (error instanceof ArgumentError) {
      output.error(`${usageOf(GRAMMAR)}crget: error: ${error.message}\n`);
      return 2;
    }
    log.error(told(error));
    return 1;
  }
}

async function run({ values }: Arguments, context: Context, log: Log): Promise<void> {
  const signal = context.interruption.listen();
  const reference = referenceOf(values.get('image_url') ?? '');
  const { repository, written, at } = reference;
  log.info(`Fetching metadata for registry: ${written}`);
  const { target, links } = await targetOf(values, reference);
  log.info(`Target: ${written} -> ${reference.repository.path}:${at}`);
  log.info(`Output: ${target}`);
  log.info('Authenticating...');
  const login = await loginFor(repository, written, values.get('config'), context, log);
  const connection = { ...login, ...requestsBundle(context) };
  await using client = await opening(connection, context, { signal, hints: HINTS.crget });
  const location = { kind: 'registry', reference: withLibrary(reference) } as const;
  await using opened = await client.client.read(location);
  const { source } = opened;
  const ignore = values.has('ignore-arch') ? 'first' : 'refuse';
  const { image } = await manifestOf(source, withLibrary(reference), ignore, log);
  const layers = { source, repository: opened.repository, layers: image.layers };
  const index = layerIn(values, image.layers.length);
  log.info(`Downloading blob: ${image.layers[index]?.digest ?? ''}`);
  await broken('Failed to download or extract blob', async () => {
    if (values.has('archive')) await extractLayer(layers, index, target, signal, log);
    else await extractFile(layers, index, target, { links, signal });
  });
  log.info(`Success! Extracted to: ${target}`);
}

function referenceOf(text: string): HostedReference {
  if (text.includes('/')) return parseHosted(text);
  throw new Refusal(
    'Invalid format. Image must contain a registry domain (e.g. registry.com/owner/image)',
  );
}

/** Hub's own images are below `library/`. */
function withLibrary({ repository, at }: HostedReference) {
  const { host, path } = repository;
  const own = host === 'docker.io' && !path.includes('/');
  return { repository: own ? { host, path: `library/${path}` } : repository, at };
}

async function targetOf(
  values: Arguments['values'],
  { repository }: HostedReference,
): Promise<{ readonly target: string; readonly links: 'follow' | 'refuse' }> {
  const name = path.posix.basename(repository.path);
  const given = values.get('output_path') ?? '';
  if (given === '') return { target: `./${name}`, links: 'refuse' };
  if (values.has('archive') || !(await isFolder(given))) {
    return { target: given, links: 'follow' };
  }
  return { target: path.join(given, name), links: 'refuse' };
}

async function manifestOf(
  source: Source,
  { repository, at }: ReturnType<typeof withLibrary>,
  otherwise: 'first' | 'refuse',
  log: Log,
): Promise<Chosen> {
  const { architecture } = hostPlatform();
  log.info('Fetching manifest...');
  return await broken('Failed to fetch manifest', async () => {
    try {
      const found = await chosenOf(source, repository, at, { kind: 'listed' });
      if (found.index !== undefined) {
        if (otherwise === 'refuse') resolving(architecture, log);
        log.info(`Downloading manifest: ${found.manifest.descriptor.digest}`);
      }
      return found;
    } catch (error) {
      if (platformsOf(error) === undefined) throw error;
      if (otherwise === 'refuse') {
        resolving(architecture, log);
        throw new Refusal(
          `No manifest found for architecture ${architecture}. Use --ignore-arch to force download.`,
        );
      }
      log.warning('Architecture mismatch, continuing anyway.');
      const first = await chosenOf(source, repository, at, { kind: 'first' });
      log.info(`Downloading manifest: ${first.manifest.descriptor.digest}`);
      return first;
    }
  });
}

function resolving(architecture: string, log: Log): void {
  log.info(`Manifest list detected. Resolving for linux/${architecture}...`);
}

/** The layer's number, the base as 0. */
function layerIn(values: Arguments['values'], count: number): number {
  if (count === 0) throw new Refusal('Could not find layers in manifest.');
  const asked = Number((values.get('layer') ?? '-1').replaceAll('_', ''));
  if (count > 1 && asked === -1 && !values.has('ignore-multi-layer')) {
    throw new Refusal(
      'Multiple layers detected, use --ignore-multi-layer to ignore or --layer to download a specific layer',
    );
  }
  const index = asked < 0 ? asked + count : asked;
  if (index >= 0 && index < count) return index;
  throw new Refusal(`There is no layer ${asked}: the image has ${count}`);
}

/** Says in front of a failure what failed; a refusal is told as it is. */
async function broken<T>(what: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const denied = error instanceof RegistryError && error.code === 'DENIED';
    throw new Refusal(denied ? 'Authentication failed' : what, { cause: error });
  }
}

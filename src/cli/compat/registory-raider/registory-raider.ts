import type { Digest } from '../../../core/digest.ts';
import { RegistryError } from '../../../core/errors.ts';
import { parsePath, parseTag, type Repository, type Tag } from '../../../core/reference.ts';
import type { Source } from '../../../core/source.ts';
import type { Chosen } from '../../../image/choose.ts';
import { readImageConfig } from '../../../image/image-config.ts';
import type { Context } from '../../context.ts';
import { opening } from '../../opening.ts';
import { chosenOf, platformsOf } from '../chosen.ts';
import { HINTS } from '../hints.ts';
import { parseAddress } from './address.ts';
import { askFolder, askItem, askLayers } from './questions.ts';
import { saveLayers } from './save.ts';
import { isSchema1, schema1 } from './schema1.ts';
import {
  catalogScreen,
  layersScreen,
  manifestScreen,
  pictured,
  tagsScreen,
  type Pictured,
} from './screens.ts';

const USAGE = `Usage: registory-raider [--insecure] <registry_url>

  Enumerate Docker Registry repositories, tags, and manifests.

  Example: registory-raider http://localhost:5000/
`;

/** registory-raider's command line: a walk from the catalog of a registry to layers on this disk. */
export async function registoryRaider(line: readonly string[], context: Context): Promise<number> {
  const { output } = context;
  const url = line.find((word) => !word.startsWith('-'));
  const flags = line.filter((word) => word.startsWith('-'));
  if (flags.includes('-h') || flags.includes('--help')) {
    output.out(USAGE);
    return 0;
  }
  if (url === undefined || flags.some((flag) => flag !== '--insecure')) {
    output.out(USAGE);
    return 1;
  }
  const { base, host, connection } = parseAddress(url);
  const insecure = flags.includes('--insecure') ? { insecure: true as const } : {};
  const signal = context.interruption.listen();
  const hints = HINTS['registory-raider'];
  await using client = await opening({ ...connection, ...insecure }, context, { signal, hints });
  const { items } = await (await client.client.registry(host)).repositories();
  output.out(`Fetching Catalog from ${base}\n\n${catalogScreen(items)}`);
  if (items.length === 0) return 0;
  const path = await askItem('repository', items, context);
  if (path.kind === 'left') return 0;
  const repository = { host, path: parsePath(path.value) };
  const reference = { repository, at: parseTag('latest') };
  const { source } = await client.open({ kind: 'registry', reference });
  return await raid(source, repository, context);
}

/** From the tags of a repository on. */
async function raid(source: Source, repository: Repository, context: Context): Promise<number> {
  const { output } = context;
  const items = await tagsOf(source, repository);
  output.out(tagsScreen(repository.path, items));
  if (items.length === 0) return 0;
  const answer = await askItem('tag', items, context);
  if (answer.kind === 'left') return 0;
  const tag = parseTag(answer.value);
  const picture = await pictureOf(source, repository, tag);
  output.out(manifestScreen(`${repository.path}:${tag}`, picture));
  const { layers } = picture;
  output.out(layersScreen(layers.toReversed()));
  if (layers.length === 0) return 0;
  const positions = await askLayers(layers.length, context);
  if (positions.kind === 'left') return 0;
  const folder = await askFolder(context);
  if (folder.kind === 'left') return 0;
  const image = { source, repository, layers };
  const wanted = { image, tag, positions: positions.value, folder: folder.value };
  return await saveLayers(wanted, context);
}

/** What the catalog lists has no tags any more where registries do not know it otherwise. */
async function tagsOf(source: Source, repository: Repository): Promise<readonly Tag[]> {
  try {
    return (await source.tags(repository)).items;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NAME_UNKNOWN') return [];
    throw error;
  }
}

async function pictureOf(source: Source, repository: Repository, tag: Tag): Promise<Pictured> {
  const manifest = await source.manifest(repository, tag);
  if (isSchema1(manifest)) return await schema1(source, repository, manifest);
  // Asked of the cache by now: where pulls are counted it is one.
  const chosen = await imageOf(source, repository, manifest.descriptor.digest);
  return pictured(chosen, await readImageConfig(source, repository, chosen.image));
}

/** Of a list the image for this machine or, where there is none, the first one. */
async function imageOf(source: Source, repository: Repository, at: Digest): Promise<Chosen> {
  try {
    return await chosenOf(source, repository, at, { kind: 'listed' });
  } catch (error) {
    if (platformsOf(error) === undefined) throw error;
    return await chosenOf(source, repository, at, { kind: 'first' });
  }
}

import { hexOf } from '../../../core/digest.ts';
import { isUnknown, RegistryError } from '../../../core/errors.ts';
import { isIndexType } from '../../../core/image-manifest.ts';
import type { Platform } from '../../../core/platform.ts';
import { formatReference, type Repository } from '../../../core/reference.ts';
import type { Source } from '../../../core/source.ts';
import type { Chosen } from '../../../image/choose.ts';
import { pull } from '../../../image/pull.ts';
import type { Context } from '../../context.ts';
import { opening, type Opening } from '../../opening.ts';
import { told } from '../../told.ts';
import { chosenOf, platformsOf } from '../chosen.ts';
import { HINTS } from '../hints.ts';
import { describeValues, parseLine, type Values } from './arguments.ts';
import { connectionOf } from './connection.ts';
import { listTar } from './list-tar.ts';
import { platformIn } from './platforms.ts';
import { parseImgpull, type ImgpullReference } from './reference.ts';
import { goDuration, USAGE, versionText } from './texts.ts';

/** imgpull's command line. Everything it says is on standard output; a line that makes no sense ends with 0. */
export async function imgpull(line: readonly string[], context: Context): Promise<number> {
  const { output, interruption, version } = context;
  const asked = parseLine(line);
  switch (asked.kind) {
    case 'version':
      output.out(await versionText(version));
      return 0;
    case 'help':
      output.out(USAGE);
      return 0;
    case 'parsed':
      output.out(describeValues(asked.values));
      return 0;
    case 'fault':
      output.out(`${asked.message}\n${USAGE}`);
      return 0;
    case 'run':
      break;
  }
  try {
    await run(asked.values, context);
    return 0;
  } catch (error) {
    if (interruption.aborted) throw error;
    output.out(`${told(error)}\n`);
    return 1;
  }
}

async function run(values: Values, context: Context): Promise<void> {
  const tar = values.get('list-tar');
  if (tar !== undefined) return await listTar(tar, context);
  const platform = platformIn(values);
  const reference = parseImgpull(values.get('image') ?? '', values.get('namespace'));
  const signal = context.interruption.listen();
  const hints = HINTS.imgpull;
  await using client = await opening(connectionOf(values), context, { signal, hints });
  const work = { client, reference, platform };
  if (values.has('manifest')) await showManifest(work, values.get('manifest'), context);
  else await pullTar(work, values.get('dest') ?? '', context);
}

interface Work {
  readonly client: Opening;
  readonly reference: ImgpullReference;
  readonly platform: Platform;
}

interface Found extends Chosen {
  readonly source: Source;
  readonly repository: Repository;
}

async function pullTar(work: Work, file: string, { output, interruption }: Context): Promise<void> {
  const since = performance.now();
  const signal = interruption.listen();
  const { reference, client } = work;
  const { source, repository, manifest } = await find(work);
  const to = reference.nameOf(repository);
  await using into = await client.client.write(
    { kind: 'docker-archive', file },
    { name: to, layout: 'imgpull', signal },
  );
  const at = manifest.descriptor.digest;
  await pull({ into, images: [{ source, repository, at, to }], signal });
  const duration = goDuration(performance.now() - since);
  output.out(`image "${reference.url}" saved to "${file}" in ${duration}\n`);
}

async function showManifest(
  work: Work,
  type: string | undefined,
  { output }: Context,
): Promise<void> {
  const { url } = work.reference;
  const { index, manifest } = type === 'list' ? await findList(work) : await find(work);
  const shown = type === 'list' ? index : manifest;
  if (shown === undefined) throw new Error(`server did not provide a manifest for "${url}"`);
  const json = JSON.stringify(JSON.parse(Buffer.from(shown.bytes).toString()), undefined, 3);
  const { digest } = shown.descriptor;
  const exact = index === undefined || type === 'list' ? url : withDigest(work.reference, digest);
  output.out(`MANIFEST:\n${json}\nMANIFEST DIGEST: ${hexOf(digest)}\nIMAGE URL: ${exact}\n`);
}

function withDigest({ url, at }: ImgpullReference, digest: Parameters<typeof hexOf>[0]): string {
  return `${url.slice(0, url.length - at.length - 1)}@${digest}`;
}

/** The image for the platform, in the first repository that there is. */
async function find({ client, reference, platform }: Work): Promise<Found> {
  try {
    return await inFirst(client, reference, async (source, repository, at) =>
      chosenOf(source, repository, at, { kind: 'listed', platform }),
    );
  } catch (error) {
    const there = platformsOf(error);
    if (there === undefined) throw error;
    const { os, architecture } = platform;
    const message = `unable to get manifest SHA for os "${os}", arch "${architecture}"; there is ${there.join(', ')}`;
    throw new RegistryError('MANIFEST_UNKNOWN', message);
  }
}

/** What the reference names, where that is a list. */
async function findList({ client, reference }: Work): Promise<Partial<Found>> {
  return await inFirst(client, reference, async (source, repository, at) => {
    const manifest = await source.manifest(repository, at);
    return isIndexType(manifest.descriptor.mediaType) ? { index: manifest } : {};
  });
}

async function inFirst<T>(
  { client }: Opening,
  { candidates, at }: ImgpullReference,
  look: (source: Source, repository: Repository, at: ImgpullReference['at']) => Promise<T>,
): Promise<T & { readonly source: Source; readonly repository: Repository }> {
  for (const [index, repository] of candidates.entries()) {
    const opened = await client.read({ kind: 'registry', reference: { repository, at } });
    const { source } = opened;
    try {
      return { ...(await look(source, repository, at)), source, repository };
    } catch (error) {
      if (index === candidates.length - 1 || !mayBeElsewhere(error)) throw error;
    }
  }
  throw new RegistryError('NAME_UNKNOWN', formatReference({ host: '', path: '' }, at));
}

/** A repository that does not exist is denied by some registries. */
function mayBeElsewhere(error: unknown): boolean {
  if (platformsOf(error) !== undefined) return false;
  return isUnknown(error) || (error instanceof RegistryError && error.code === 'DENIED');
}

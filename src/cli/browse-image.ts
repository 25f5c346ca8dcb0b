import type { Digest } from '../core/digest.ts';
import { isIndexType } from '../core/image-manifest.ts';
import { formatPlatform, type Platform } from '../core/platform.ts';
import { formatReference, type Tag } from '../core/reference.ts';
import { choose, isRunnable, leavesOf, type Chosen } from '../image/choose.ts';
import { buildSteps, readImageConfig, type ImageConfig } from '../image/image-config.ts';
import type { ReadOptions } from '../image/files/image-layers.ts';
import type { Opened } from '../image/opened.ts';
import { printableName } from '../layer/name.ts';
import * as actions from './browse-actions.ts';
import { columns } from './columns.ts';
import type { Context } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { stepsTable } from './history.ts';
import { ask, askItem, refuse } from './menu.ts';
import { told } from './told.ts';

/** Where a part of the walk leads. */
export type Onward = 'back' | 'quit';

export interface Walk {
  readonly context: Context;
  readonly platform: Platform | undefined;
  readonly reading: ReadOptions;
}

const ACTIONS: Readonly<Record<string, actions.Action>> = {
  p: actions.peek,
  l: actions.list,
  f: actions.find,
  c: actions.carve,
  s: actions.save,
};

const QUESTION =
  'p peek into layers, l list a folder, f find files, c carve a file, s save layers, b back, q quit: ';

/** Walks from a name to images and what is in them. */
export async function browseImage(opened: Opened, walk: Walk): Promise<Onward> {
  const { source, repository, at } = opened;
  const named = await source.manifest(repository, at);
  if (!isIndexType(named.descriptor.mediaType) || walk.platform !== undefined) {
    return await inspect(opened, await choose(source, repository, at, walk.platform), walk);
  }
  const entries = (await leavesOf(source, repository, named)).filter(isRunnable);
  const items = entries.map(({ platform, digest }) =>
    platform === undefined ? digest : formatPlatform(platform),
  );
  if (items.length < 2)
    return await inspect(opened, await atEntry(opened, entries[0]?.digest), walk);
  for (;;) {
    walk.context.output.out(`\nPlatforms: ${items.length}\n`);
    const answer = await askItem({ what: 'platform', items }, walk.context);
    if (answer.kind !== 'answer') return answer.kind;
    const chosen = await atEntry(opened, entries[answer.value]?.digest);
    if ((await inspect(opened, chosen, walk)) === 'quit') return 'quit';
  }
}

const atEntry = async (
  { source, repository, at }: Opened,
  digest: Digest | undefined,
): Promise<Chosen> => await choose(source, repository, digest ?? at);

/** Shows an image, and does what is asked with it. */
async function inspect(
  { source, repository, at }: Opened,
  { manifest, image }: Chosen,
  { context, reading }: Walk,
): Promise<Onward> {
  const config = await readImageConfig(source, repository, image);
  const { layers } = image;
  const digest: Tag | Digest = manifest.descriptor.digest;
  const rows = layers.map((layer, index) => [
    `${index + 1}.`,
    layer.digest,
    formatBytes(layer.size),
  ]);
  const { output } = context;
  output.out(`\n${formatReference(repository, at)}\n${facts(digest, config)}`);
  output.out(`\nBuild history:\n${stepsTable(buildSteps(config, layers), 1)}`);
  output.out(
    `\nLayers: ${layers.length}, the base first\n${columns(rows, ['right', 'left', 'right'])}\n`,
  );
  const files = { image: { source, repository, layers }, reading };
  for (;;) {
    const typed = (await ask(QUESTION, context))?.toLowerCase();
    if (typed === undefined || typed === 'q') return 'quit';
    if (typed === 'b') return 'back';
    const action = Object.hasOwn(ACTIONS, typed) ? ACTIONS[typed] : undefined;
    if (action === undefined) refuse('Please enter one of p, l, f, c, s, b, q.', context);
    else if ((await forgiving(() => action(files, context), context)) === 'quit') return 'quit';
  }
}

function facts(digest: string, config: ImageConfig): string {
  const { platform, created, user, workdir, entrypoint, cmd, ports, volumes, env, labels } = config;
  const single: readonly (readonly [string, string | undefined])[] = [
    ['digest', digest],
    ['platform', platform && formatPlatform(platform)],
    ['created', created],
    ['user', user],
    ['workdir', workdir],
    ['entrypoint', entrypoint.length === 0 ? undefined : JSON.stringify(entrypoint)],
    ['command', cmd.length === 0 ? undefined : JSON.stringify(cmd)],
    ...ports.map((port) => ['port', port] as const),
    ...volumes.map((volume) => ['volume', volume] as const),
    ...env.map((variable) => ['variable', variable] as const),
    ...Object.entries(labels).map(([key, value]) => ['label', `${key}=${value}`] as const),
  ];
  return columns(
    single.flatMap(([label, value]) =>
      value === undefined ? [] : [[`  ${label}`, printableName(value)]],
    ),
  );
}

/** A person goes on after a failure; where lines come from a file, it is the end. */
export async function forgiving<T>(
  task: () => Promise<T>,
  { input, interruption, output }: Context,
): Promise<T | undefined> {
  try {
    return await task();
  } catch (error) {
    if (interruption.aborted || input.watched === 'no') throw error;
    output.error(`${told(error)}\n`);
    return undefined;
  }
}

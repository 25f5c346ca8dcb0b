import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { plainConf } from '../../../e2e/lib/containers-conf.ts';
import { push } from '../../../e2e/lib/push.ts';
import { dockerRegistry, type Registry } from '../../../e2e/lib/registry.ts';
import type { Scratch } from '../../../e2e/lib/scratch.ts';
import { tools, type Present } from '../../../e2e/lib/tool.ts';
import { MB } from '../row.ts';
import { picture, type Picture } from './picture.ts';

export const LAUNCHER = join(import.meta.dirname, '../../../bin/layover');
export const REPOSITORY = 'bench/app';

/** A registry that Debian built, an image in it, and those who fetch it. */
export interface Yard {
  readonly scratch: Scratch;
  readonly registry: Registry;
  readonly reference: string;
  readonly picture: Picture;
  readonly env: Readonly<Record<string, string>>;
  readonly repeats: number;
  readonly skopeo: readonly [string, ...string[]];
  /** Left out where it is not installed. */
  readonly crane?: readonly [string, ...string[]];
  /** Bytes of blobs that the registry has sent while this ran, ended answers and cut ones. */
  blobBytes(during: () => Promise<unknown>): Promise<number>;
  say(text: string): void;
}

export type YardOptions = Pick<Yard, 'scratch' | 'say'> & { readonly size: 'full' | 'quick' };

export async function yard(options: YardOptions, stack: AsyncDisposableStack): Promise<Yard> {
  const { scratch, say, size } = options;
  const registry = stack.use(await dockerRegistry(scratch, { name: 'bench' }));
  say('making an image of ten layers');
  const content = size === 'quick' ? picture(10, 4 * MB) : picture(10, 40 * MB);
  await push(registry.url, REPOSITORY, 'v1', content.image);
  const home = scratch.at('home');
  await mkdir(home);
  const env = { ...(await plainConf(home)), XDG_CACHE_HOME: join(home, 'cache') };
  const [crane, skopeo] = [await newest('crane'), await newest('skopeo')];
  if (skopeo === undefined) throw new Error('skopeo is not installed: run e2e/install');
  return {
    scratch,
    registry,
    reference: `127.0.0.1:${registry.port}/${REPOSITORY}:v1`,
    picture: content,
    env,
    repeats: size === 'quick' ? 2 : 5,
    skopeo: skopeo.command('skopeo', scratch.path),
    ...(crane && { crane: crane.command('crane', scratch.path) }),
    blobBytes: (during) => blobBytes(registry, during),
    say,
  };
}

/** The newest version that runs as it is: a mount namespace of its own would cost it time. */
async function newest(program: string): Promise<Present | undefined> {
  const [found] = await tools(program);
  return found?.missing === undefined ? found : undefined;
}

let marks = 0;

async function blobBytes(registry: Registry, during: () => Promise<unknown>): Promise<number> {
  await mark(registry);
  const before = registry.accesses().length;
  await during();
  await mark(registry);
  return registry
    .accesses()
    .slice(before)
    .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Answers are logged in their order: once this one is, those before it are. */
async function mark({ url, process }: Registry): Promise<void> {
  marks += 1;
  const answer = await fetch(`${url}/v2/bench/mark-${marks}/tags/list`);
  await answer.arrayBuffer();
  await process.until(new RegExp(`GET /v2/bench/mark-${marks}/tags/list HTTP`));
}

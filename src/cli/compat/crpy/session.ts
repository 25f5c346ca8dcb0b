import { RegistryError } from '../../../core/errors.ts';
import type { Platform } from '../../../core/platform.ts';
import type { Reference } from '../../../core/reference.ts';
import type { Source } from '../../../core/source.ts';
import type { Chosen } from '../../../image/choose.ts';
import type { Connection } from '../../connection.ts';
import type { Context } from '../../context.ts';
import { opening, type Opening } from '../../opening.ts';
import { chosenOf, platformsOf } from '../chosen.ts';
import { HINTS } from '../hints.ts';
import { pythonList } from '../python.ts';
import { platformNamed } from './platforms.ts';
import type { CrpyTarget } from './reference.ts';

/** A command line of crpy that has been read. */
export interface Command {
  readonly values: ReadonlyMap<string, string>;
  /** What stands in front of the command. */
  readonly connection: Pick<Connection, 'insecure' | 'proxy'>;
  readonly context: Context;
}

export interface SessionOptions {
  /** To be used instead of what is stored. */
  readonly login?: Pick<Connection, 'user' | 'password'>;
  /** Which of the tokens that are given for it are told: every one if left out. */
  readonly told?: 'first' | 'none';
}

/** Connects to where the target is. */
export async function session(
  target: CrpyTarget,
  { connection, context, values }: Command,
  { login, told }: SessionOptions = {},
): Promise<Opening> {
  let tokens = 0;
  const { plainHttp } = target;
  const cache = values.has('no-cache') ? { cache: false } : {};
  return await opening(
    { ...connection, ...login, ...cache, ...(plainHttp !== undefined && { plainHttp }) },
    context,
    {
      signal: context.interruption.listen(),
      hints: HINTS.crpy,
      observe(event) {
        if (event.type !== 'token' || event.result !== 'ok' || told === 'none') return;
        tokens += 1;
        if (told === 'first' && tokens > 1) return;
        context.output.error(`Authenticated at ${target.shown}\n`);
      },
    },
  );
}

/** The image that the target names. @throws RegistryError NAME_INVALID where it names only a registry */
export function imageOf({ image }: CrpyTarget, why: string): Reference {
  if (image !== undefined) return image;
  throw new RegistryError('NAME_INVALID', why);
}

/** The image that is meant: the one for the platform, or the first of those that are listed. */
export async function imageAt(
  source: Source,
  { repository, at }: Reference,
  target: CrpyTarget,
  architecture: string | undefined,
): Promise<Chosen> {
  if (architecture === undefined) return await chosenOf(source, repository, at, { kind: 'first' });
  const platform: Platform = platformNamed(architecture);
  try {
    return await chosenOf(source, repository, at, { kind: 'listed', platform });
  } catch (error) {
    const there = platformsOf(error);
    if (there === undefined) throw error;
    throw new RegistryError(
      'MANIFEST_UNKNOWN',
      `No matching manifest for ${architecture} in the manifest list entries at ${target.shown}.\nAvailable architectures: ${pythonList(there)}`,
    );
  }
}

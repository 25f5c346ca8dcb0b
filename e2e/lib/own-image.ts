import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BASES, makeBases, type Buildah } from './bases.ts';
import { emptyStorage, plainConf } from './containers-conf.ts';
import { run } from './process.ts';
import type { Scratch } from './scratch.ts';

const ROOT = join(import.meta.dirname, '../..');
export const IMAGE = 'localhost/layover:e2e';

/** The image of the Dockerfile, in a storage of its own. */
export interface OwnImage extends AsyncDisposable {
  /** Go before the verb of podman. */
  readonly podman: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The same image as a file. */
  readonly archive: string;
}

/** Builds the Dockerfile as it is, on bases that Debian's packages make up. */
export async function ownImage(scratch: Scratch): Promise<OwnImage> {
  await using stack = new AsyncDisposableStack();
  const env = await plainConf(scratch.path);
  await mkdir(scratch.at('run'), { recursive: true });
  const storage = stack.use(await emptyStorage(scratch.path));
  const buildah: Buildah = (...args) => run('buildah', [...storage.options, ...args], { env });
  await makeBases(scratch, buildah);
  await buildah(
    'bud',
    '--format=docker',
    '--layers=false',
    '--isolation=chroot',
    `--build-arg=BUILD_IMAGE=${BASES.build}`,
    `--build-arg=BASE_IMAGE=${BASES.image}`,
    ...(await npmOptions(scratch)),
    `--tag=${IMAGE}`,
    ROOT,
  );
  const archive = scratch.at('layover.tar');
  await buildah('push', '--quiet', IMAGE, `docker-archive:${archive}:${IMAGE}`);
  const whole = stack.move();
  return {
    podman: [...storage.options, '--cgroup-manager=cgroupfs'],
    env,
    archive,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

/** npm inside is to see what npm here sees: its settings, its cache, the authorities it trusts. */
async function npmOptions(scratch: Scratch): Promise<readonly string[]> {
  const [own, cache] = [join(homedir(), '.npmrc'), scratch.at('npm-cache')];
  const authorities = (await run('npm', ['config', 'get', 'cafile'])).trim();
  const lines = [
    existsSync(own) ? await readFile(own, 'utf8') : '',
    'cache=/npm-cache',
    'prefer-offline=true',
    ...(existsSync(authorities) ? ['cafile=/npm-ca.pem'] : []),
  ];
  const settings = scratch.at('npmrc');
  await writeFile(settings, lines.join('\n'));
  // A copy: what root leaves in there is nobody else's.
  const filled = (await run('npm', ['config', 'get', 'cache'])).trim();
  await mkdir(cache);
  if (existsSync(filled)) await run('cp', ['-a', `${filled}/.`, cache]);
  return [
    `--secret=id=npmrc,src=${settings}`,
    `--volume=${cache}:/npm-cache`,
    ...(existsSync(authorities) ? [`--volume=${authorities}:/npm-ca.pem:ro`] : []),
  ];
}

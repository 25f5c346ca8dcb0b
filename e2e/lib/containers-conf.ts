import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REMOVE } from './scratch.ts';
import type { ClientOptions } from './client.ts';
import { PORT_ALIAS } from './world.ts';

/** Nobody listens there: a client that leaves the mirror aside fails instead of finding the world. */
const NOWHERE = '127.0.0.1:1';

/**
 * registries.conf for skopeo, podman and buildah: Docker Hub's names go to the mirror as they are (default routing), all others behind their host (prefix routing).
 * @returns the environment that makes them read it
 */
export async function containersConf(
  folder: string,
  world: ClientOptions['world'],
): Promise<Readonly<Record<string, string>>> {
  const mirror = `127.0.0.1:${world.layover.port}`;
  const insecure = world.authority === undefined;
  const routes = [
    ['docker.io', mirror],
    ['quay.io', `${mirror}/quay.io`],
    ['localhost:5555', `${mirror}/${PORT_ALIAS}`],
    ['ghcr.io', `${mirror}/ghcr.io`],
  ];
  return settings(
    folder,
    routes
      .map(
        ([prefix, location]) =>
          `[[registry]]\nprefix = "${prefix}"\nlocation = "${NOWHERE}/nowhere"\ninsecure = true\n` +
          `[[registry.mirror]]\nlocation = "${location}"\ninsecure = ${insecure}\n`,
      )
      .join('\n'),
  );
}

/**
 * For names that are used as they are: nothing of this machine's settings counts.
 * @returns the environment that makes them read it
 */
export function plainConf(folder: string): Promise<Readonly<Record<string, string>>> {
  return settings(folder, '');
}

async function settings(folder: string, routes: string): Promise<Readonly<Record<string, string>>> {
  const registries = join(folder, 'registries.conf');
  const limits = join(folder, 'containers.conf');
  const auth = join(folder, 'auth.json');
  await writeFile(registries, routes);
  await writeFile(auth, '{}');
  // The defaults ask for more than a container that runs the suite may be allowed.
  await writeFile(
    limits,
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n',
  );
  return {
    CONTAINERS_REGISTRIES_CONF: registries,
    REGISTRIES_CONFIG_PATH: registries,
    CONTAINERS_CONF: limits,
    REGISTRY_AUTH_FILE: auth,
    HOME: folder,
    XDG_RUNTIME_DIR: join(folder, 'run'),
  };
}

export interface Storage extends AsyncDisposable {
  /** Go before the verb. */
  readonly options: readonly string[];
}

/** An image store of podman and buildah with nothing in it, that mounts nothing. */
export async function emptyStorage(folder: string): Promise<Storage> {
  const path = await mkdtemp(join(folder, 'storage-'));
  return {
    options: [
      `--root=${join(path, 'root')}`,
      `--runroot=${join(path, 'run')}`,
      '--storage-driver=vfs',
    ],
    [Symbol.asyncDispose]: () => rm(path, REMOVE),
  };
}

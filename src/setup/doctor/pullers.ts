import { asError, systemCode } from '../../core/errors.ts';
import { CERTS_FOLDER, firstFolder, readContainerd } from '../containerd-config.ts';
import type { ClientName } from '../proposal.ts';
import type { Run, Situation } from './check.ts';
import { pullByCri } from './cri.ts';

/** How a client of this machine is had to pull. */
export interface Puller {
  /** For people. */
  readonly name: string;
  /** Pulls, or tries to; tells what the client said. Ends with the signal. Never throws. */
  readonly pull: (image: string, signal: AbortSignal) => Promise<string>;
}

const SOCKETS: Readonly<Record<'containerd' | 'k3s', string>> = {
  containerd: '/run/containerd/containerd.sock',
  k3s: '/run/k3s/containerd/containerd.sock',
};

/** The client as it pulls on this machine; `undefined` where it is not here, or belongs to another root. */
export async function pullersOf(
  client: ClientName,
  situation: Situation,
): Promise<Puller | undefined> {
  const { run, here } = situation;
  if (here !== 'this-machine') return undefined;
  switch (client) {
    case 'containerd':
      return containerd(situation, situation.socket ?? SOCKETS.containerd);
    case 'k3s':
      return byCri(situation.socket ?? SOCKETS.k3s);
    case 'docker':
      return program(run, [['docker', 'pull', '--quiet']]);
    case 'podman':
      return program(run, [
        ['skopeo', 'inspect', '--raw'],
        ['podman', 'pull', '--quiet'],
        ['buildah', 'pull', '--quiet'],
      ]);
    case 'buildkit':
      return undefined;
  }
}

/** As the kubelet does; without Kubernetes' interface, as `ctr` does with the folder that it is told. */
async function containerd(situation: Situation, socket: string): Promise<Puller | undefined> {
  const cri = await byCri(socket);
  if (cri !== undefined) return cri;
  const { run, files } = situation;
  const config = await readContainerd(files).catch(() => undefined);
  const folder = firstFolder(config?.configPath) ?? CERTS_FOLDER;
  const line = ['--address', socket, 'image', 'pull', '--hosts-dir', folder];
  const version = await run('ctr', ['--address', socket, 'version']);
  return version?.code === 0 ? byProgram(run, ['ctr', ...line], (image) => image) : undefined;
}

/** @returns `undefined` where nobody listens, or somebody without Kubernetes' interface */
async function byCri(socket: string): Promise<Puller | undefined> {
  try {
    const { signal } = new AbortController();
    // No image has no name: whoever understands the question refuses it.
    const { result } = await pullByCri(socket, '', signal);
    if (result === 'no-cri') return undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  return {
    name: 'containerd (CRI)',
    pull: async (image, signal) => {
      try {
        return (await pullByCri(socket, image, signal)).message;
      } catch (error) {
        return asError(error).message;
      }
    },
  };
}

/** The first of the programs that is here. */
async function program(
  run: Run,
  lines: readonly (readonly [string, ...string[]])[],
): Promise<Puller | undefined> {
  for (const line of lines) {
    const [command] = line;
    if ((await run(command, ['--version']))?.code !== 0) continue;
    return byProgram(run, line, (image) => (command === 'skopeo' ? `docker://${image}` : image));
  }
  return undefined;
}

function byProgram(
  run: Run,
  [command = '', ...args]: readonly string[],
  argument: (image: string) => string,
): Puller {
  return {
    name: command,
    pull: async (image, signal) => {
      const ran = await run(command, [...args, argument(image)], { signal });
      return ran?.error ?? `there is no program ${command}`;
    },
  };
}

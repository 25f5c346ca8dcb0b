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

/** Why no client of this machine can be had to pull. */
export interface NoPuller {
  /** For people. */
  readonly why: string;
  readonly mend: string;
  /** `never`: nothing that is done here would change it. */
  readonly possible: 'once-mended' | 'never';
}

const SOCKETS: Readonly<Record<'containerd' | 'k3s', string>> = {
  containerd: '/run/containerd/containerd.sock',
  k3s: '/run/k3s/containerd/containerd.sock',
};

/** The client as it pulls on this machine, or why it does not. */
export async function pullerOf(
  client: ClientName,
  situation: Situation,
): Promise<Puller | NoPuller> {
  const { run, here, mirror } = situation;
  if (here !== 'this-machine') {
    return {
      why: 'the files are those of another root, whose programs do not run here',
      mend: `layover doctor --mirror ${mirror.url}   # on that machine`,
      possible: 'never',
    };
  }
  switch (client) {
    case 'containerd':
      return containerd(situation, situation.socket ?? SOCKETS.containerd);
    case 'k3s':
      return k3s(situation.socket ?? SOCKETS.k3s);
    case 'docker':
      return program(run, [['docker', 'pull', '--quiet']]);
    case 'podman':
      return program(run, [
        ['skopeo', 'inspect', '--raw'],
        ['podman', 'pull', '--quiet'],
        ['buildah', 'pull', '--quiet'],
      ]);
    case 'buildkit':
      return {
        why: 'BuildKit pulls for builds alone',
        mend: `build something from an image that is not cached, and look for it: layover ls-cache`,
        possible: 'never',
      };
  }
}

/** As the kubelet does; without Kubernetes' interface, as `ctr` does with the folder that it is told. */
async function containerd(situation: Situation, socket: string): Promise<Puller | NoPuller> {
  const cri = await byCri(socket, 'containerd');
  if (cri !== 'no-cri') return cri;
  const { run, files } = situation;
  const config = await readContainerd(files).catch(() => undefined);
  const folder = firstFolder(config?.configPath) ?? CERTS_FOLDER;
  const line = ['--address', socket, 'image', 'pull', '--hosts-dir', folder];
  const version = await run('ctr', ['--address', socket, 'version']);
  if (version?.code === 0) return byProgram(run, ['ctr', ...line], (image) => image);
  const failed = version === undefined ? 'is not installed' : `says: ${version.error.trim()}`;
  return {
    why: `what listens at ${socket} does not serve Kubernetes (CRI), and ctr ${failed}`,
    mend: `ctr --address ${socket} version   # install ctr, or name containerd's socket with --socket`,
    possible: 'once-mended',
  };
}

async function k3s(socket: string): Promise<Puller | NoPuller> {
  const cri = await byCri(socket, 'k3s');
  if (cri !== 'no-cri') return cri;
  return {
    why: `what listens at ${socket} does not serve Kubernetes (CRI)`,
    mend: "name the socket of k3s' containerd with --socket",
    possible: 'once-mended',
  };
}

/** @returns `no-cri` where somebody listens who does not have Kubernetes' interface */
async function byCri(socket: string, service: string): Promise<Puller | NoPuller | 'no-cri'> {
  try {
    const { signal } = new AbortController();
    // No image has no name: whoever understands the question refuses it.
    const { result } = await pullByCri(socket, '', signal);
    if (result === 'no-cri') return 'no-cri';
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return unanswered(socket, service, code);
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

function unanswered(socket: string, service: string, code: string): NoPuller {
  const why = `nobody answers at ${socket} (${code})`;
  const mend =
    code === 'EACCES' || code === 'EPERM'
      ? 'run it as root: sudo layover doctor …'
      : `systemctl start ${service}   # or name the socket where it listens with --socket`;
  return { why, mend, possible: 'once-mended' };
}

/** The first of the programs that is here. */
async function program(
  run: Run,
  lines: readonly (readonly [string, ...string[]])[],
): Promise<Puller | NoPuller> {
  for (const line of lines) {
    const [command] = line;
    if ((await run(command, ['--version']))?.code !== 0) continue;
    return byProgram(run, line, (image) => (command === 'skopeo' ? `docker://${image}` : image));
  }
  const names = lines.map(([command]) => command).join(', ');
  return {
    why: `no program that could pull is installed here (${names})`,
    mend: `install one: ${names}`,
    possible: 'once-mended',
  };
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

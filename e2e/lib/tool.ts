import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { attempt } from './process.ts';

/** A program under test, from the running release or from a later one. */
export type Tool =
  | {
      readonly label: string;
      readonly major: number;
      readonly missing?: undefined;
      /** The command line, up to the program's own arguments; `folder` is visible to it. */
      command(program: string, folder: string): readonly [string, ...string[]];
      /** Where its programs are, to go in front of PATH. */
      readonly path: string;
    }
  | {
      readonly label: string;
      /** Why it cannot be had. */
      readonly missing: string;
    };

export type Present = Extract<Tool, { missing?: undefined }>;

const CACHE =
  process.env['E2E_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'layover-e2e');
const INSIDE = join(import.meta.dirname, '../inside');

/** The kit's programs run as they are: they need nothing newer than what is here. */
type Way = 'direct' | 'inside';

interface Kit {
  readonly name: string;
  readonly way: Way;
}

const KITS: Readonly<Record<string, readonly Kit[]>> = {
  containerd: [
    { name: 'containerd-1.7', way: 'direct' },
    { name: 'containerd-2', way: 'direct' },
  ],
  skopeo: containers(),
  podman: containers(),
  buildah: containers(),
  crane: [{ name: 'crane', way: 'direct' }],
  oras: [{ name: 'oras', way: 'direct' }],
  helm: [{ name: 'helm', way: 'direct' }],
  cosign: [{ name: 'cosign', way: 'direct' }],
  kubeconform: [{ name: 'kubeconform', way: 'direct' }],
  conformance: [{ name: 'conformance', way: 'direct' }],
};

function containers(): readonly Kit[] {
  return [
    { name: 'containers-5', way: 'inside' },
    { name: 'containers-next', way: 'inside' },
  ];
}

/** Programs of the running release, which `e2e/install` always brings: their absence fails. */
const OF_THIS_RELEASE = new Set(['containerd', 'skopeo', 'podman', 'buildah']);

/** Programs that tell their version as a verb rather than as a flag. */
const VERSION_VERBS = new Set(['crane', 'oras', 'helm', 'cosign']);

/** Every version of a program that there is to test with, oldest first. */
export async function tools(program: string): Promise<readonly Tool[]> {
  const found: Tool[] = [];
  if (OF_THIS_RELEASE.has(program)) {
    found.push(
      await labelled(program, { command: (name) => [name], path: process.env['PATH'] ?? '' }),
    );
  }
  for (const kit of KITS[program] ?? []) found.push(await fromKit(program, kit));
  return found;
}

/** Where a kit has been unpacked. */
export const kitFolder = (name: string): string => join(CACHE, name);

/** Why a kit cannot be had; `undefined` where it is there. */
export function missingKit(name: string): string | undefined {
  const root = kitFolder(name);
  if (existsSync(join(root, '.complete'))) return undefined;
  const note = `${root}.missing`;
  return existsSync(note) ? readFileSync(note, 'utf8').trim() : 'run e2e/install first';
}

async function fromKit(program: string, kit: Kit): Promise<Tool> {
  const root = kitFolder(kit.name);
  const missing = missingKit(kit.name);
  if (missing !== undefined) return { label: `${program} (${kit.name})`, missing };
  const bin = join(root, 'usr/bin');
  return labelled(program, {
    command: (name, folder) =>
      kit.way === 'direct' ? [join(bin, name)] : [INSIDE, root, folder, name],
    path: `${bin}:${process.env['PATH']}`,
  });
}

async function labelled(
  program: string,
  tool: Pick<Present, 'command' | 'path'>,
): Promise<Present> {
  const argument =
    program === 'kubeconform' ? '-v' : VERSION_VERBS.has(program) ? 'version' : '--version';
  const [command, ...args] = tool.command(program, '/tmp');
  // Started, the suite would run.
  const { stdout } =
    program === 'conformance' ? { stdout: '' } : await attempt(command, [...args, argument]);
  const own = stdout.replace(/\bgo\d\S*/g, '');
  const [version, major] = own.match(/(\d+)\.\d+(?:\.\d+)?/) ?? [];
  // crane and cosign as Debian builds them do not know their own versions.
  const label = `${program} ${version ?? 'of an unnamed version'}`;
  return { label, major: Number(major ?? 0), ...tool };
}

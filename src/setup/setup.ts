import path from 'node:path';
import { BUILDKIT_FOLDER, buildkit } from './clients/buildkit.ts';
import { containerd } from './clients/containerd.ts';
import { docker, DOCKER_FOLDER } from './clients/docker.ts';
import { k3s, K3S_FOLDER } from './clients/k3s.ts';
import { CONTAINERS_FOLDER, podman } from './clients/podman.ts';
import { CERTS_FOLDER, firstFolder, readContainerd } from './containerd-config.ts';
import { digest, Journal, type Entry } from './journal.ts';
import type { ClientName, Propose, Refused } from './proposal.ts';
import { RootFolder, type FileState } from './root-folder.ts';
import type { Target } from './target.ts';
import { unifiedDiff } from './unified-diff.ts';

/** Whose files, and where they are. */
export interface Place {
  readonly client: ClientName;
  /** The folder that holds the machine's files: `/`, or a mount of another root. */
  readonly root: string;
  /** containerd: the folder of `hosts.toml` files, where its configuration is not to be asked. */
  readonly certsFolder?: string | undefined;
}

export interface SetupOptions extends Place {
  readonly target: Target;
  /** containerd: whether its own configuration may be changed where it needs to be. */
  readonly ownConfig: 'leave' | 'edit';
}

export interface UndoOptions extends Place {
  /** `lose`: files that somebody changed meanwhile go back to what they were all the same. */
  readonly changes: 'respect' | 'lose';
}

/** A file that is, or would be, changed. */
export interface Change {
  readonly path: string;
  readonly action: 'create' | 'change' | 'remove';
  /** As `diff -u` writes it. */
  readonly diff: string;
}

export interface Outcome {
  readonly changes: readonly Change[];
  /** Files that are right already. */
  readonly unchanged: readonly string[];
  readonly refused: readonly Refused[];
  readonly notes: readonly string[];
}

const PROPOSALS: Readonly<Record<ClientName, Propose>> = {
  containerd,
  docker,
  podman,
  buildkit,
  k3s,
};

/** What would be changed to send a client's pulls to the mirror, and with `write` is. */
export async function setUp(options: SetupOptions, mode: 'plan' | 'write'): Promise<Outcome> {
  const { client, target, certsFolder, ownConfig } = options;
  const files = new RootFolder(options.root);
  const proposal = await PROPOSALS[client]({ target, files, certsFolder, ownConfig });
  const journal = new Journal(files, await journalFolder(options, files));
  using _lock = mode === 'write' ? await journal.begin() : undefined;
  const changes: Change[] = [];
  const unchanged: string[] = [];
  for (const { path, text } of proposal.files) {
    const before = await files.text(path);
    const change = changeOf(path, before, text);
    if (change === undefined) {
      unchanged.push(path);
      continue;
    }
    if (mode === 'write') await journal.write(path, Buffer.from(text));
    changes.push(change);
  }
  return { changes, unchanged, refused: proposal.refused, notes: proposal.notes };
}

/**
 * What would bring a client's files back to what they were before `setUp`, and with `write` does. Files that
 * somebody changed since are refused, unless their changes may be lost.
 */
export async function undo(options: UndoOptions, mode: 'plan' | 'write'): Promise<Outcome> {
  const files = new RootFolder(options.root);
  const journal = new Journal(files, await journalFolder(options, files));
  const changes: Change[] = [];
  const unchanged: string[] = [];
  const refused: Refused[] = [];
  // Nothing is made where there is nothing to undo.
  const begun = mode === 'write' && (await journal.entries()).length > 0;
  using _lock = begun ? await journal.begin() : undefined;
  for (const entry of (await journal.entries()).toReversed()) {
    const current = await files.read(entry.path);
    const original = await journal.original(entry);
    const reason = options.changes === 'lose' ? undefined : reasonAgainst(entry, current);
    if (reason !== undefined) {
      refused.push({ path: entry.path, reason });
      continue;
    }
    if (mode === 'write') await journal.restore(entry);
    const change = changeOf(entry.path, textOf(current), textOf(original));
    if (change === undefined) unchanged.push(entry.path);
    else changes.push(change);
  }
  if (begun) await journal.close();
  return { changes, unchanged, refused, notes: [] };
}

function reasonAgainst(
  { before, after, mixed }: Entry,
  current: FileState | undefined,
): string | undefined {
  const now = current === undefined ? undefined : digest(current.bytes);
  if (now === before?.content) return undefined;
  if (now !== after) {
    return now === undefined
      ? 'somebody has removed it since'
      : 'somebody has changed it since: what it was before would lose that';
  }
  return mixed
    ? 'somebody changed it between two runs of setup: what it was before the first would lose that'
    : undefined;
}

function changeOf(
  path: string,
  before: string | undefined,
  after: string | undefined,
): Change | undefined {
  if (before === after) return undefined;
  const action = before === undefined ? 'create' : after === undefined ? 'remove' : 'change';
  return { path, action, diff: unifiedDiff(path, before, after) };
}

function textOf(state: FileState | undefined): string | undefined {
  return state?.bytes.toString('utf8');
}

/** Beside the files: that is what is mounted where only a client's folder is. */
async function journalFolder({ client, certsFolder }: Place, files: RootFolder): Promise<string> {
  switch (client) {
    case 'containerd': {
      const configured = async (): Promise<string | undefined> =>
        firstFolder((await readContainerd(files))?.configPath);
      return path.posix.join(certsFolder ?? (await configured()) ?? CERTS_FOLDER, '.layover');
    }
    case 'docker':
      return `${DOCKER_FOLDER}/.layover`;
    case 'podman':
      return `${CONTAINERS_FOLDER}/.layover`;
    case 'buildkit':
      return `${BUILDKIT_FOLDER}/.layover`;
    case 'k3s':
      return `${K3S_FOLDER}/.layover`;
  }
}

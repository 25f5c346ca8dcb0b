import { RegistryError } from '../core/errors.ts';
import type { Target } from './target.ts';

/** The programs whose pulls can be sent through a mirror. */
export const CLIENTS = ['containerd', 'docker', 'podman', 'buildkit', 'k3s'] as const;
export type ClientName = (typeof CLIENTS)[number];

/** A client's files, by the paths that the client itself would use. */
export interface ClientFiles {
  /** @returns `undefined` where there is no such file */
  text(path: string): Promise<string | undefined>;
  /** Names in a folder, sorted; none where there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
}

export interface ProposalOptions {
  readonly target: Target;
  readonly files: ClientFiles;
  /** containerd: the folder of `hosts.toml` files, where its configuration is not to be asked. */
  readonly certsFolder: string | undefined;
  /** containerd: whether its own configuration may be changed where it needs to be. */
  readonly ownConfig: 'leave' | 'edit';
}

/** A file as it should be. */
export interface Wanted {
  readonly path: string;
  readonly text: string;
}

/** A file that has to be changed by hand, and why. */
export interface Refused {
  readonly path: string;
  readonly reason: string;
}

/** What would send a client's pulls to a mirror. */
export interface Proposal {
  /** Those that are right already among them. */
  readonly files: readonly Wanted[];
  readonly refused: readonly Refused[];
  /** What else has to be known or done, a paragraph each. */
  readonly notes: readonly string[];
}

export type Propose = (options: ProposalOptions) => Promise<Proposal>;

/** The wanted files and those that have to be left alone, each with what kept it from being edited. */
export class Drafts {
  readonly files: Wanted[] = [];
  readonly refused: Refused[] = [];

  /** Takes what `edit` makes of the file, or its reason for not making anything. */
  async add(path: string, edit: () => Promise<string>): Promise<void> {
    try {
      this.files.push({ path, text: await edit() });
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.refused.push({ path, reason: error.message });
    }
  }
}

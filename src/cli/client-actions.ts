import type { Choices } from './actions.ts';

/** The programs whose pulls can be sent through a mirror. */
export const CLIENTS = ['containerd', 'docker', 'podman', 'buildkit', 'k3s'] as const;
export type ClientName = (typeof CLIENTS)[number];

/** Which mirror is meant. */
export interface MirrorChoices extends Choices {
  /** `--mirror`: as clients reach it; `undefined`: where the server of this configuration listens. */
  readonly mirror?: string | undefined;
  /** `--ca`: a PEM file. */
  readonly ca?: string | undefined;
}

/** Whose files, and where they are. */
export interface PlaceChoices {
  readonly client: ClientName;
  /** `--root`. */
  readonly root: string;
  /** `--certs-d`. */
  readonly certsFolder: string | undefined;
  /** `plan`: nothing is changed. */
  readonly mode: 'plan' | 'write';
}

export interface SetupChoices extends MirrorChoices, PlaceChoices {
  /** `--ask`: where the mirror is reached from here, if not under `mirror`. */
  readonly ask: string | undefined;
  /** `--upstream`; empty: all that the mirror has. */
  readonly upstreams: readonly string[];
  readonly ownConfig: 'leave' | 'edit';
}

export interface UndoChoices extends PlaceChoices {
  readonly changes: 'respect' | 'lose';
}

/** What was, or would be, done to a client's files. */
export interface SetupOutcome {
  readonly changes: readonly {
    readonly path: string;
    readonly action: 'create' | 'change' | 'remove';
    /** As `diff -u` writes it. */
    readonly diff: string;
  }[];
  readonly unchanged: readonly string[];
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
  readonly notes: readonly string[];
}

export interface DoctorChoices extends MirrorChoices {
  /** `undefined`: those that are on this machine. */
  readonly client?: ClientName | undefined;
  /** `--upstream`; empty: all that the mirror has. */
  readonly upstreams: readonly string[];
  readonly root: string;
  /** `--socket`. */
  readonly socket?: string | undefined;
}

/** A check that the doctor made. */
export interface Checked {
  readonly check: string;
  readonly state: 'well' | 'warning' | 'fault';
  /** What it looked at, in a line. */
  readonly looked: string;
  readonly findings: readonly {
    readonly code: string;
    readonly severity: 'fault' | 'warning';
    readonly saw: string;
    readonly means: string;
    readonly mend: string;
  }[];
}

/** What the verbs do that look after the clients of a mirror. */
export interface Clients {
  setUp(
    choices: SetupChoices,
  ): Promise<SetupOutcome & { readonly mirror: string; readonly upstreams: readonly string[] }>;
  undo(choices: UndoChoices): Promise<SetupOutcome>;
  /** Each check as it is made. */
  diagnose(choices: DoctorChoices): AsyncIterable<Checked>;
}

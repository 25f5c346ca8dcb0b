import type { Known } from '../ask-upstreams.ts';
import type { ClientFiles, ClientName } from '../proposal.ts';
import type { Mirror } from '../target.ts';

/** What can be found: for programs, whatever the texts say. docs/doctor.md lists them. */
export const CODES = [
  'dns',
  'refused',
  'no-answer',
  'http-to-https',
  'https-to-http',
  'tls-unknown-authority',
  'tls-wrong-name',
  'tls-expired',
  'tls-not-yet-valid',
  'client-certificate',
  'unreachable',
  'not-layover',
  'not-ready',
  'clock-skew',
  'certificate-unreadable',
  'certificate-expired',
  'certificate-early',
  'certificate-expires',
  'certificate-key',
  'rate-limit',
  'upstream-shut',
  'upstream-dns',
  'upstream-tls',
  'upstream-unreachable',
  'upstream-failing',
  'credentials-refused',
  'credentials-missing',
  'disk-read-only',
  'disk-full',
  'disk-small',
  'config-unreadable',
  'config-path-unset',
  'transfer-service',
  'hosts-missing',
  'hosts-elsewhere',
  'hosts-invalid',
  'mirror-missing',
  'mirror-partly',
  'no-name-in-path',
  'not-insecure',
  'authority-missing',
  'proxy-between',
  'nothing-pulled',
  'pull-not-arrived',
  'wrong-namespace',
] as const;
export type Code = (typeof CODES)[number];

/** Something that is not as it should be. */
export interface Finding {
  readonly code: Code;
  /** `warning`: pulls arrive all the same, for now. */
  readonly severity: 'fault' | 'warning';
  /** What was seen, and where. */
  readonly saw: string;
  /** What that does to pulls. */
  readonly means: string;
  /** What to do, a command where there is one. */
  readonly mend: string;
}

/** What a check has come to. */
export interface Report {
  /** What it looked at, in a line: it is all there is to say where nothing is wrong. */
  readonly looked: string;
  readonly findings: readonly Finding[];
}

/** What a check is given. */
export interface Situation {
  readonly mirror: Mirror;
  /** PEM that vouches for the mirror besides the usual authorities. */
  readonly ca: string | undefined;
  readonly files: ClientFiles;
  /** Whether `files` are those of this machine, so that its programs read them, too. */
  readonly here: 'this-machine' | 'another-root';
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Runs a program of this machine. */
  readonly run: Run;
  /** What the mirror says of itself; `undefined` while it cannot be asked. */
  readonly known: Known | undefined;
  /** The registries whose pulls should arrive. */
  readonly upstreams: readonly string[];
  /** Milliseconds that the mirror may take for an answer. */
  readonly patience: number;
  /** containerd's socket, where it is not where it usually is. */
  readonly socket: string | undefined;
  /** As the doctor was told it, for the commands that mend. */
  readonly given: {
    readonly root: string;
    /** A file. */
    readonly ca: string | undefined;
    readonly upstreams: readonly string[];
  };
  /** Whether somebody asked for this client by name, or it was found. */
  readonly chosen: 'named' | 'found';
}

/** What a program said before it ended; `undefined`: there is no such program. */
export type Run = (
  command: string,
  args: readonly string[],
  options?: { readonly signal?: AbortSignal },
) => Promise<Ran | undefined>;

export interface Ran {
  /** `undefined`: it was ended. */
  readonly code: number | undefined;
  readonly out: string;
  readonly error: string;
}

/** One thing that can be looked at. It changes nothing, and throws nothing that it could tell. */
export interface Check {
  readonly name: string;
  /** `undefined`: there is nothing of the kind here to look at. */
  readonly run: (situation: Situation) => Promise<Report | undefined>;
}

/** The checks of a client's own files. */
export type ClientCheck = Check & { readonly client: ClientName };

/** `a`, or `a and 2 more`. */
export function several(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  return rest.length === 0 ? first : `${first} and ${rest.length} more (${rest.join(', ')})`;
}

import { Option, type Command, type OptionValues } from '@commander-js/extra-typings';

/** What the flags that all verbs of the client share say about the way to a registry. */
export interface Connection {
  /** Sent as `ns` with every request, as containerd does to a mirror. */
  readonly ns?: string | undefined;
  /** `false`: never, not even on this machine. `'found-out'`: see `ClientOptions`. */
  readonly plainHttp?: boolean | 'found-out' | undefined;
  /** Certificates are not checked. */
  readonly insecure?: true | undefined;
  /** Files in PEM. */
  readonly cacert?: string | undefined;
  /** Who named it, where no flag did. */
  readonly cacertFrom?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordStdin?: true | undefined;
  readonly proxy?: string | undefined;
  /** The folder of a mirror's store, to be read instead of a registry. */
  readonly store?: string | undefined;
  /** The folder where content is kept between runs; `false`: none is. */
  readonly cache?: string | boolean | undefined;
  /** Bytes that are kept there, as users write sizes. */
  readonly cacheSize?: string | undefined;
  /** Data and errors are written, and nothing else. */
  readonly quiet?: true | undefined;
}

/** The flags of the way to a registry, with what they are for. */
export const WAY = {
  '--ns <registry>': 'ask a mirror for the content of this registry (?ns=)',
  '--plain-http': 'speak HTTP, not HTTPS',
  '--insecure': 'do not check the certificate',
  '--cacert <file>': 'trust these certificates too (PEM)',
  '--cert <file>': 'show this certificate (PEM), with --key',
  '--key <file>': 'key of the certificate (PEM)',
  '--user <name>': 'user name, instead of what docker login stored',
  '--password <text>': 'password; --password-stdin keeps it from others',
  '--password-stdin': 'read the password from standard input',
  '--proxy <url>': 'go through this proxy',
} as const;

const option = <const Flags extends string>(flags: Flags, description: string) =>
  new Option(flags, description).helpGroup('How to connect:');

const way = <const Flags extends keyof typeof WAY>(flags: Flags) => option(flags, WAY[flags]);

/** Adds the flags of `Connection` to a verb. */
export function connecting<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
) {
  return command
    .addOption(way('--ns <registry>'))
    .addOption(way('--plain-http'))
    .addOption(way('--insecure'))
    .addOption(way('--cacert <file>'))
    .addOption(way('--cert <file>'))
    .addOption(way('--key <file>'))
    .addOption(option('-u, --user <name>', WAY['--user <name>']))
    .addOption(option('-p, --password <text>', WAY['--password <text>']))
    .addOption(way('--password-stdin'))
    .addOption(way('--proxy <url>'))
    .addOption(option('--store <folder>', "read a mirror's store on this disk, no registry"))
    .addOption(option('--cache <folder>', 'keep content here (default: ~/.cache/layover)'))
    .addOption(option('--no-cache', 'keep no content between runs'))
    .addOption(option('--cache-size <size>', 'keep no more than this (default: 10GiB)'))
    .option('-q, --quiet', 'print data and errors, nothing else');
}

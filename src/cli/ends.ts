import { Option, type Command, type OptionValues } from '@commander-js/extra-typings';
import { WAY, type Connection } from './connection.ts';
import type { Context } from './context.ts';
import { forOneRegistry } from './one-registry.ts';
import { passwordOf } from './password.ts';
import { UsageError } from './usage-error.ts';

/** One of the two places that a verb connects to. */
export interface End {
  /** What its own flags begin with: `from` has `--from-user`. */
  readonly name: string;
  /** As help names it. */
  readonly what: string;
  /** What is written is not asked of a mirror: there is no `--ns` for it. */
  readonly role: 'read' | 'written';
}

/** A `Connection` whose password is known, as far as it has one. */
export type Known = Omit<Connection, 'passwordStdin'>;

/** The two places of a verb, each with flags of its own beside those of `Connection`. */
export interface Ends {
  /** Adds the flags of both. */
  add<Args extends unknown[], Options extends OptionValues>(
    command: Command<Args, Options>,
  ): Command<Args, Options>;
  /**
   * The way to each: what its own flags say, and where they say nothing what those for both do. The
   * same object twice where no end has flags of its own.
   * @param flags everything that the command line gave
   * @param registries those that the two places are in; none for a folder, an archive or a store
   * @throws UsageError for flags of what is no registry, and where both registries would be shown
   *   the same name, password or certificate
   */
  connections(
    flags: Connection,
    registries: readonly [string | undefined, string | undefined],
    context: Context,
  ): Promise<readonly [Known, Known]>;
}

export function ends(first: End, second: End): Ends {
  return {
    add(command) {
      for (const end of [first, second]) for (const one of optionsOf(end)) command.addOption(one);
      return command;
    },
    async connections(flags, registries, context) {
      forOneRegistry(
        flags,
        registries,
        (flag) =>
          `--${first.name}-${flag.slice(2)} or --${second.name}-${flag.slice(2)} says which`,
      );
      const owns = [ownOf(flags, first), ownOf(flags, second)] as const;
      refuseUseless(first, owns[0], registries[0]);
      refuseUseless(second, owns[1], registries[1]);
      const piped = [flags, ...owns].filter(({ passwordStdin }) => passwordStdin === true);
      if (piped.length > 1) throw new UsageError('standard input holds one password, not several');
      const [one, other] = registries;
      const several = one !== undefined && other !== undefined && one !== other;
      // Of two registries nobody can say which one the authority is of.
      const trusting = several && flags.cacert !== undefined && flags.plainHttp === undefined;
      const all = trusting ? { ...flags, plainHttp: 'found-out' as const } : flags;
      const shared = { ...all, ...(await loginOf(flags, 'Password: ', context)) };
      const connections: Known[] = [];
      for (const [index, own] of owns.entries()) {
        const prompt = `Password of ${own.user} at ${registries[index]}: `;
        connections.push(joined(shared, { ...own, ...(await loginOf(own, prompt, context)) }));
      }
      const [before = shared, after = shared] = connections;
      return [before, after];
    },
  };
}

function optionsOf({ name, what, role }: End): readonly Option[] {
  const flags = Object.entries(WAY).filter(
    ([flag]) => role === 'read' || !flag.startsWith('--ns '),
  );
  return flags.map(([flag, description]) =>
    new Option(`--${name}-${flag.slice(2)}`, description.replaceAll('--', `--${name}-`)).helpGroup(
      `How to connect to ${what}, and to nothing else:`,
    ),
  );
}

/** What the flags of one end say. */
function ownOf(flags: object, { name }: End): Connection {
  const values = new Map<string, unknown>(Object.entries(flags));
  const text = (flag: string): string | undefined => {
    const value = values.get(`${name}${flag}`);
    return typeof value === 'string' ? value : undefined;
  };
  const given = (flag: string): true | undefined =>
    values.get(`${name}${flag}`) === true ? true : undefined;
  return {
    ns: text('Ns'),
    plainHttp: given('PlainHttp'),
    insecure: given('Insecure'),
    cacert: text('Cacert'),
    cert: text('Cert'),
    key: text('Key'),
    user: text('User'),
    password: text('Password'),
    passwordStdin: given('PasswordStdin'),
    proxy: text('Proxy'),
  };
}

function refuseUseless({ name, what }: End, own: Connection, registry: string | undefined): void {
  const [useless] = Object.entries(own).find(([, value]) => value !== undefined) ?? [];
  if (registry !== undefined || useless === undefined) return;
  const flag = useless.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new UsageError(`--${name}-${flag} says nothing: ${what} is no registry`);
}

async function loginOf(
  { user, password, passwordStdin }: Connection,
  prompt: string,
  context: Context,
): Promise<Pick<Connection, 'user' | 'password' | 'passwordStdin'>> {
  const asked = await passwordOf({ user, password, passwordStdin }, context, prompt);
  return { user, password: asked, passwordStdin: undefined };
}

/** A name goes with its password, a certificate with its key, and either means what it is shown by. */
function joined(shared: Known, own: Known): Known {
  if (Object.values(own).every((value) => value === undefined)) return shared;
  const login = own.user ?? own.password;
  const certificate = own.cert ?? own.key;
  const tls = own.cacert ?? certificate;
  const { user, password } = login === undefined ? shared : own;
  const { cert, key } = certificate === undefined ? shared : own;
  const plainHttp = own.plainHttp ?? (tls === undefined ? shared.plainHttp : undefined);
  return {
    ...shared,
    user,
    password,
    cert,
    key,
    plainHttp,
    ns: own.ns ?? shared.ns,
    insecure: own.insecure ?? shared.insecure,
    cacert: own.cacert ?? shared.cacert,
    proxy: own.proxy ?? shared.proxy,
  };
}

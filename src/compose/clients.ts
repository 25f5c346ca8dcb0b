import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Choices } from '../cli/actions.ts';
import type { Clients, MirrorChoices, SetupChoices } from '../cli/client-actions.ts';
import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/config.ts';
import { RegistryError, systemCode } from '../core/errors.ts';
import { isHost } from '../core/reference.ts';
import { askUpstreams } from '../setup/ask-upstreams.ts';
import { diagnose } from '../setup/doctor/doctor.ts';
import { runner } from '../setup/doctor/run.ts';
import { RootFolder } from '../setup/root-folder.ts';
import { setUp, undo } from '../setup/setup.ts';
import { parseMirror, type Mirror, type Mirrored } from '../setup/target.ts';
import { serverSideOf } from './server-side.ts';

/** Milliseconds that the mirror may take to answer the doctor. */
const PATIENCE = 10_000;

type ConfigOf = (choices: Choices) => Promise<Config>;
type Environment = Readonly<Record<string, string | undefined>>;

/** What the verbs do that look after the clients of a mirror, wired to the real things. */
export function clientsOf(configOf: ConfigOf, environment: Environment): Clients {
  return {
    async setUp(choices) {
      const mirror = await mirrorOf(choices, configOf);
      const ca = await authorityOf(choices);
      const upstreams = await upstreamsFor(choices, { mirror, ca, configOf });
      const { client, root, certsFolder, ownConfig, mode } = choices;
      const target = { mirror, upstreams, ca };
      const outcome = await setUp({ client, root, certsFolder, ownConfig, target }, mode);
      return { ...outcome, mirror: mirror.url, upstreams: upstreams.map(({ host }) => host) };
    },
    undo: ({ mode, ...options }) => undo(options, mode),
    async *diagnose(choices) {
      const mirror = await mirrorOf(choices, configOf);
      // With a mirror that is named this machine's configuration has nothing to do, unless it is, too.
      const local = choices.mirror === undefined || choices.config !== undefined;
      const server = local ? await serverSideOf(await configOf(choices), environment) : undefined;
      const upstreams = namesOf(choices.upstreams);
      yield* diagnose({
        mirror,
        given: { root: choices.root, ca: choices.ca, upstreams },
        ca: await authorityOf(choices),
        files: new RootFolder(choices.root),
        here: path.resolve(choices.root) === '/' ? 'this-machine' : 'another-root',
        environment,
        run: runner(environment),
        client: choices.client,
        upstreams,
        socket: choices.socket,
        patience: PATIENCE,
        server,
      });
    },
  };
}

/** The one that is named, or the one that this machine's configuration is of. */
export async function mirrorOf(choices: MirrorChoices, configOf: ConfigOf): Promise<Mirror> {
  if (choices.mirror !== undefined) return parseMirror(choices.mirror);
  const { listen, tls } = await configOf(choices);
  const { host, port } = listen;
  const everywhere = host === undefined || host === '0.0.0.0' || host === '::';
  const address = formatAddress({ host: everywhere ? '127.0.0.1' : host, port });
  return parseMirror(`${tls === undefined ? 'http' : 'https'}://${address}`);
}

/** @throws RegistryError REQUEST_INVALID for a file that cannot be read or is no certificate */
export async function authorityOf({ ca }: MirrorChoices): Promise<string | undefined> {
  if (ca === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(ca, 'utf8');
  } catch (cause) {
    const code = systemCode(cause);
    if (code === undefined) throw cause;
    throw new RegistryError('REQUEST_INVALID', `${ca} cannot be read (${code})`, { cause });
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new RegistryError('REQUEST_INVALID', `${ca} holds no certificate in PEM`);
}

interface Asked {
  readonly mirror: Mirror;
  readonly ca: string | undefined;
  readonly configOf: ConfigOf;
}

/**
 * What the mirror says it has; where none answers, what the configuration says, unless a mirror was named:
 * its registries are not this machine's to know.
 */
async function upstreamsFor(
  choices: SetupChoices,
  { mirror, ca, configOf }: Asked,
): Promise<readonly Mirrored[]> {
  const wanted = namesOf(choices.upstreams);
  let known: readonly Mirrored[];
  try {
    const url = choices.ask === undefined ? mirror.url : parseMirror(choices.ask).url;
    ({ upstreams: known } = await askUpstreams(url, ca));
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code === 'REQUEST_INVALID') throw error;
    if (choices.mirror === undefined) {
      known = [...(await configOf(choices)).upstreams.values()];
    } else if (wanted.length > 0) {
      known = wanted.map((host) => ({ host, aliases: [] }));
    } else {
      throw new RegistryError(
        error.code,
        `${error.message}; name its registries with --upstream, or where it can be asked with --ask`,
        { cause: error },
      );
    }
  }
  const unknown = wanted.filter((name) => !known.some(({ host }) => host === name));
  if (unknown.length > 0) {
    throw new RegistryError(
      'NAME_UNKNOWN',
      `not mirrored there: ${unknown.join(', ')}; what is: ${known.map(({ host }) => host).join(', ')}`,
    );
  }
  return wanted.length === 0 ? known : known.filter(({ host }) => wanted.includes(host));
}

/** @throws RegistryError REQUEST_INVALID */
function namesOf(texts: readonly string[]): readonly string[] {
  const names = texts.map((name) => name.toLowerCase());
  const wrong = names.find((name) => !isHost(name));
  if (wrong === undefined) return names;
  throw new RegistryError('REQUEST_INVALID', `not the name of a registry: ${wrong}`);
}

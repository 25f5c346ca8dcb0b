import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { systemCode } from '../core/errors.ts';
import type { Config, UpstreamCredentials } from './config.ts';
import type { Environment } from './environment.ts';
import { byPlace, ConfigError, type Fault } from './fault.ts';
import type { Loaded } from './load.ts';
import { keyOf, nearestOrigin, type Path, type Tree } from './tree.ts';

/** The texts of the PEM files that a configuration names, by the names it has for them. */
export type PemFiles = ReadonlyMap<string, string>;

/** Files that are read once, and read again when they change. Passwords are read whenever they are used. */
export function pemFilesOf(config: Config): readonly string[] {
  return [...new Set(named(config).map(({ file }) => file))];
}

/**
 * Reads what the configuration names outside of itself, so that a certificate that is missing is
 * found out by whoever wrote its name, and not by a client.
 * @throws ConfigError with every fault: files that cannot be read or used, variables that are not there
 */
export async function readPem(
  { config, tree }: Loaded,
  environment: Environment,
): Promise<PemFiles> {
  const texts = new Map<string, string>();
  const faults: Fault[] = [...variables(config, tree, environment)];
  const fault = (path: Path, message: string): void =>
    void faults.push(faultAt(tree, path, message));
  for (const { path, file, as } of named(config)) {
    try {
      const text = texts.get(file) ?? (await readFile(file, 'utf8'));
      texts.set(file, text);
      if (as === 'ca') checkAuthorities(text);
      else createSecureContext({ [as]: text });
    } catch (error) {
      fault(path, `${file}: ${reasonOf(error)}`);
    }
  }
  for (const { path, cert, key } of pairs(config)) {
    if (faults.some((one) => one.key.startsWith(keyOf(path)))) continue;
    try {
      createSecureContext({ cert: texts.get(cert) ?? '', key: texts.get(key) ?? '' });
    } catch {
      fault([...path, 'key'], `${key}: it is not the key of the certificate in ${cert}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.toSorted(byPlace));
  return texts;
}

interface Named {
  readonly path: Path;
  readonly file: string;
  readonly as: keyof Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;
}

function named({ tls, upstreams }: Config): readonly Named[] {
  const own = tls && { cert: tls.cert, key: tls.key, clientCa: tls.clientCa };
  return [
    ...files(['tls'], own ?? {}),
    ...[...upstreams].flatMap(
      ([
        host,
        {
          tls: { ca, cert, key },
        },
      ]) => files(['upstreams', host, 'tls'], { ca, cert, key }),
    ),
  ];
}

const AS = { ca: 'ca', clientCa: 'ca', cert: 'cert', key: 'key' } as const;

function files(
  path: Path,
  given: { readonly [Name in keyof typeof AS]?: string | undefined },
): readonly Named[] {
  return (Object.keys(AS) as (keyof typeof AS)[]).flatMap((name) => {
    const file = given[name];
    return file === undefined ? [] : [{ path: [...path, name], file, as: AS[name] }];
  });
}

function pairs({ tls, upstreams }: Config) {
  const all = [
    { path: ['tls'], cert: tls?.cert, key: tls?.key },
    ...[...upstreams].map(
      ([
        host,
        {
          tls: { cert, key },
        },
      ]) => {
        return { path: ['upstreams', host, 'tls'], cert, key };
      },
    ),
  ];
  return all.flatMap(({ path, cert, key }) =>
    cert === undefined || key === undefined ? [] : [{ path, cert, key }],
  );
}

function variables({ upstreams }: Config, tree: Tree, environment: Environment): readonly Fault[] {
  return [...upstreams].flatMap(([host, { credentials }]) => {
    const name = variableOf(credentials);
    if (name === undefined || environment[name] !== undefined) return [];
    const path = ['upstreams', host, 'credentials', 'passwordEnv'];
    return [faultAt(tree, path, `the environment has no ${name}`)];
  });
}

function variableOf(credentials: UpstreamCredentials | undefined): string | undefined {
  return credentials?.kind === 'environment' ? credentials.passwordEnv : undefined;
}

/** A file without any certificate would be taken for "the usual authorities". @throws Error */
function checkAuthorities(text: string): void {
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (certificates === null) throw new Error('no certificate');
  for (const certificate of certificates) void new X509Certificate(certificate);
}

function faultAt(tree: Tree, path: Path, message: string): Fault {
  return { origin: nearestOrigin(tree, path), key: keyOf(path), message };
}

function reasonOf(error: unknown): string {
  const code = systemCode(error);
  if (code === 'ENOENT') return 'there is no such file';
  const known = code?.startsWith('ERR_') === false;
  return known ? `it cannot be read (${code})` : 'it is not PEM of the kind that belongs here';
}

import { RegistryError } from '../core/errors.ts';
import { isRecord } from '../core/shape.ts';
import { block, withoutBlock } from './block.ts';
import type { Mirror } from './target.ts';
import { statements } from './toml-statements.ts';
import { at, parseToml, proven, quoted, textsIn } from './toml.ts';

/** What the mirror does for a client: everything that reads. */
const CAPABILITIES = ['pull', 'resolve'] as const;

export interface HostsToml {
  /** The registry that the file is for. */
  readonly host: string;
  readonly mirror: Mirror;
  /** Path of the authority's certificate, as the client sees it. */
  readonly ca: string | undefined;
}

/**
 * A `hosts.toml` that asks the mirror first: a new one, or the one that is there with the mirror in front
 * of its hosts and everything else as it is.
 * @throws RegistryError REQUEST_INVALID for a file that does not parse, UNSUPPORTED for one that
 * cannot be edited
 */
export function hostsToml(existing: string | undefined, { host, mirror, ca }: HostsToml): string {
  const table = {
    capabilities: [...CAPABILITIES],
    ...(ca !== undefined && { ca }),
  };
  const ours = block([
    `[host.${quoted(mirror.url)}]`,
    `  capabilities = [${CAPABILITIES.map(quoted).join(', ')}]`,
    ...(ca === undefined ? [] : [`  ca = ${quoted(ca)}`]),
  ]);
  if (existing === undefined) {
    const server = serverOf(host);
    return server === undefined ? ours : `server = ${quoted(server)}\n\n${ours}`;
  }
  const text = withoutBlock(existing);
  const before = parseToml(text);
  const hosts = before['host'] ?? {};
  if (!isRecord(hosts)) throw new RegistryError('UNSUPPORTED', '"host" is not a table');
  const named = Object.keys(hosts).find((one) => one.replace(/\/+$/, '') === mirror.url);
  if (named !== undefined) return byHand(existing, hosts, named);
  const first = statements(text).find(({ kind }) => kind !== 'pair')?.start ?? text.length;
  const head = text.slice(0, first);
  const gap = head === '' || head.endsWith('\n') ? '' : '\n';
  const edited = `${head}${gap}${ours}${text.slice(first)}`;
  proven(edited, { ...before, host: { [mirror.url]: table, ...hosts } });
  return edited;
}

/** Somebody has the mirror there already: right, or to be put right by them. */
function byHand(text: string, hosts: Readonly<Record<string, unknown>>, named: string): string {
  const said = at(hosts, named, 'capabilities');
  const lacking = CAPABILITIES.filter((one) => said !== undefined && !textsIn(said).includes(one));
  if (lacking.length > 0) {
    throw new RegistryError(
      'UNSUPPORTED',
      `it has [host.${quoted(named)}] without ${lacking.join(' and ')} among its capabilities`,
    );
  }
  if (Object.keys(hosts)[0] !== named) {
    throw new RegistryError('UNSUPPORTED', `it has [host.${quoted(named)}], but not as its first`);
  }
  return text;
}

/**
 * Where containerd goes when the mirror does not have it. Left out for registries of this machine:
 * whether they speak TLS is then found out by containerd, as without the file.
 */
function serverOf(host: string): string | undefined {
  if (host === 'docker.io') return 'https://registry-1.docker.io';
  return /^(localhost|127\.|\[::1\])/.test(host) ? undefined : `https://${host}`;
}

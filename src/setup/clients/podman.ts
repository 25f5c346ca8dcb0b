import path from 'node:path';
import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import { Drafts, type ClientFiles, type Proposal, type ProposalOptions } from '../proposal.ts';
import type { Mirror, Mirrored } from '../target.ts';
import { parseToml, quoted } from '../toml.ts';

export const CONTAINERS_FOLDER = '/etc/containers';
const MAIN = `${CONTAINERS_FOLDER}/registries.conf`;
const DROP_INS = `${CONTAINERS_FOLDER}/registries.conf.d`;
export const OURS = `${DROP_INS}/50-layover.conf`;

/**
 * Podman, Buildah, skopeo and CRI-O: a file of our own. They do not tell a mirror which registry they
 * mean, so its name goes into the path.
 */
export async function podman({ target, files }: ProposalOptions): Promise<Proposal> {
  const { mirror, upstreams, ca } = target;
  const drafts = new Drafts();
  const elsewhere = await configured(files);
  const entries: string[] = [];
  for (const upstream of upstreams) {
    const segment = segmentOf(upstream);
    const file = elsewhere.get(upstream.host);
    if (file !== undefined) {
      drafts.refused.push({ path: file, reason: byHand(upstream.host, mirror, segment) });
    } else if (segment === undefined) {
      drafts.refused.push({
        path: OURS,
        reason: `${upstream.host}: a mirror's path may have no port in it; give the registry an alias in Layover's configuration (upstreams."${upstream.host}".aliases)`,
      });
    } else {
      entries.push(entry(upstream.host, mirror, segment));
    }
  }
  if (entries.length > 0) {
    const head =
      '# Written by "layover setup podman"; "layover setup podman --undo" takes it away.\n';
    drafts.files.push({ path: OURS, text: `${head}\n${entries.join('\n')}` });
  }
  if (ca !== undefined) {
    const name = path.posix.join(CONTAINERS_FOLDER, 'certs.d', mirror.authority, 'ca.crt');
    drafts.files.push({ path: name, text: ca });
  }
  return {
    files: drafts.files,
    refused: drafts.refused,
    notes: [
      'Podman, Buildah and skopeo read it at every pull; CRI-O when it is told to: systemctl reload crio',
    ],
  };
}

function entry(host: string, mirror: Mirror, segment: string): string {
  return [
    '[[registry]]',
    `prefix = ${quoted(host)}`,
    `location = ${quoted(host)}`,
    '[[registry.mirror]]',
    `location = ${quoted(`${mirror.authority}/${segment}`)}`,
    ...(mirror.scheme === 'http' ? ['insecure = true'] : []),
    '',
  ].join('\n');
}

function byHand(host: string, mirror: Mirror, segment: string | undefined): string {
  const location = `${mirror.authority}/${segment ?? host}`;
  return `${host} is configured there; add below its [[registry]]: [[registry.mirror]] location = ${quoted(location)}${mirror.scheme === 'http' ? ', insecure = true' : ''}`;
}

/** What stands for a registry in a path: its name, or an alias where that has a port. */
function segmentOf({ host, aliases }: Mirrored): string | undefined {
  return [host, ...aliases].find((name) => !name.includes(':'));
}

/** The files that settings of registries may be in, in the order in which later ones win. */
export async function configFiles(files: ClientFiles): Promise<readonly string[]> {
  const names = await files.list(DROP_INS);
  const dropIns = names.filter((name) => name.endsWith('.conf'));
  return [MAIN, ...dropIns.map((name) => path.posix.join(DROP_INS, name))];
}

/** The registries that files other than ours have settings for, and those files. */
async function configured(files: ClientFiles): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of await configFiles(files)) {
    if (name === OURS) continue;
    const text = await files.text(name);
    if (text === undefined) continue;
    for (const prefix of prefixes(name, text)) found.set(prefix, name);
  }
  return found;
}

function prefixes(file: string, text: string): readonly string[] {
  let registries: unknown;
  try {
    registries = parseToml(text)['registry'];
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw new RegistryError('REQUEST_INVALID', `${file}: ${cause.message}`, { cause });
  }
  if (!Array.isArray(registries)) return [];
  return registries
    .map((one: unknown) => (isRecord(one) ? (one['prefix'] ?? one['location']) : undefined))
    .filter((name) => typeof name === 'string');
}

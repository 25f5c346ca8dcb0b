import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import { block, withoutBlock } from '../block.ts';
import { Drafts, type Proposal, type ProposalOptions } from '../proposal.ts';
import type { Mirror, Mirrored } from '../target.ts';
import { statements, type Statement } from '../toml-statements.ts';
import { at, parseToml, proven, quoted, textsIn, type Toml } from '../toml.ts';

export const BUILDKIT_FOLDER = '/etc/buildkit';
export const BUILDKITD = `${BUILDKIT_FOLDER}/buildkitd.toml`;
const AUTHORITY = `${BUILDKIT_FOLDER}/layover-ca.pem`;

/** A `mirrors` for each registry, and how the mirror is to be trusted. */
export async function buildkit({ target, files }: ProposalOptions): Promise<Proposal> {
  const { mirror, upstreams, ca } = target;
  const drafts = new Drafts();
  if (ca !== undefined) drafts.files.push({ path: AUTHORITY, text: ca });
  await drafts.add(BUILDKITD, async () => {
    const text = (await files.text(BUILDKITD)) ?? '';
    return withMirrors(text, { mirror, upstreams, ca: ca === undefined ? undefined : AUTHORITY });
  });
  return {
    files: drafts.files,
    refused: drafts.refused,
    notes: [
      'buildkitd reads it when it starts. A builder of docker buildx is given it once: docker buildx create --driver docker-container --buildkitd-config FILE',
    ],
  };
}

interface Wishes {
  readonly mirror: Mirror;
  readonly upstreams: readonly Mirrored[];
  /** A path. */
  readonly ca: string | undefined;
}

/** @throws RegistryError REQUEST_INVALID for a file that does not parse, UNSUPPORTED */
function withMirrors(existing: string, { mirror, upstreams, ca }: Wishes): string {
  let text = withoutBlock(existing);
  const registries: Record<string, unknown> = { ...tables(parseToml(text)) };
  const added: string[] = [];
  for (const { host } of upstreams) {
    const mirrors = textsIn(at(registries, host, 'mirrors'));
    if (mirrors.includes(mirror.authority)) continue;
    const list = [mirror.authority, ...mirrors];
    const entry = registries[host];
    if (entry === undefined) {
      added.push(`[registry.${quoted(host)}]`, `  mirrors = [${list.map(quoted).join(', ')}]`);
    } else {
      text = inTable(text, host, list);
    }
    registries[host] = { ...(isRecord(entry) ? entry : {}), mirrors: list };
  }
  if (registries[mirror.authority] === undefined) {
    const trust: Record<string, unknown> =
      mirror.scheme === 'http' ? { http: true } : ca === undefined ? {} : { ca: [ca] };
    if (Object.keys(trust).length > 0) {
      added.push(`[registry.${quoted(mirror.authority)}]`);
      added.push(mirror.scheme === 'http' ? '  http = true' : `  ca = [${quoted(ca ?? '')}]`);
      registries[mirror.authority] = trust;
    }
  }
  const gap = text === '' || text.endsWith('\n') ? '' : '\n';
  const edited = added.length === 0 ? text : `${text}${gap}${block(added)}`;
  return proven(edited, { ...parseToml(withoutBlock(existing)), registry: registries });
}

function tables({ registry = {} }: Toml): Readonly<Record<string, unknown>> {
  if (isRecord(registry)) return registry;
  throw new RegistryError('UNSUPPORTED', '"registry" is not a table');
}

/** Sets `mirrors` in the table that the registry has. */
function inTable(text: string, host: string, mirrors: readonly string[]): string {
  const found = statements(text);
  const list = `[${mirrors.map(quoted).join(', ')}]`;
  const header = found.findIndex(
    ({ kind, path }) => kind === 'table' && path.join('\n') === `registry\n${host}`,
  );
  const table = found[header];
  if (table === undefined) {
    throw new RegistryError('UNSUPPORTED', `[registry.${quoted(host)}] is laid out in another way`);
  }
  const next = found.findIndex(({ kind }, index) => index > header && kind !== 'pair');
  const pairs: readonly Statement[] = found.slice(header + 1, next === -1 ? undefined : next);
  const old = pairs.find(({ path }) => path.join('\n') === 'mirrors');
  if (old !== undefined) {
    const [from, to] = old.value;
    // What is there keeps its comments.
    const [first = '', ...others] = mirrors;
    const value = others.length === 0 ? list : `[${quoted(first)}, ${text.slice(from + 1, to)}`;
    return text.slice(0, from) + value + text.slice(to);
  }
  const gap = text.slice(0, table.end).endsWith('\n') ? '' : '\n';
  return `${text.slice(0, table.end)}${gap}  mirrors = ${list}\n${text.slice(table.end)}`;
}

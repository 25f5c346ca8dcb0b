import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import { hostsToml } from '../hosts-toml.ts';
import { Drafts, type Proposal, type ProposalOptions } from '../proposal.ts';
import { textsIn } from '../toml.ts';

export const DOCKER_FOLDER = '/etc/docker';
export const DAEMON = `${DOCKER_FOLDER}/daemon.json`;
export const DOCKER_CERTS = `${DOCKER_FOLDER}/certs.d`;
const KEY = 'registry-mirrors';

/** Docker Hub in every version; the other registries where Docker keeps images in containerd's store. */
export async function docker({ target, files }: ProposalOptions): Promise<Proposal> {
  const { mirror, upstreams, ca } = target;
  const drafts = new Drafts();
  const authority = path.posix.join(DOCKER_CERTS, mirror.authority, 'ca.crt');
  if (ca !== undefined) drafts.files.push({ path: authority, text: ca });
  const others = upstreams.filter(({ host }) => host !== 'docker.io');
  if (others.length < upstreams.length) {
    await drafts.add(DAEMON, async () => withMirror(await files.text(DAEMON), mirror.url));
  }
  for (const { host } of others) {
    const name = path.posix.join(DOCKER_CERTS, host, 'hosts.toml');
    await drafts.add(name, async () =>
      hostsToml(await files.text(name), {
        host,
        mirror,
        ca: ca === undefined ? undefined : authority,
      }),
    );
  }
  return {
    files: drafts.files,
    refused: drafts.refused,
    notes: [
      'Docker reads daemon.json again when it is told to: systemctl reload docker',
      'Registries other than Docker Hub are mirrored with the containerd image store alone ("docker info" shows driver-type: io.containerd.snapshotter.v1).',
    ],
  };
}

/**
 * The text with the mirror in front of the others, and otherwise as it is, character by character.
 * @throws RegistryError REQUEST_INVALID for a file that is no JSON object, UNSUPPORTED for one that cannot be edited
 */
function withMirror(text: string | undefined, url: string): string {
  const before: unknown = text === undefined || text.trim() === '' ? {} : json(text);
  if (!isRecord(before)) throw new RegistryError('REQUEST_INVALID', 'not a JSON object');
  const mirrors = textsIn(before[KEY]);
  if (text !== undefined && mirrors.some((one) => one.replace(/\/+$/, '') === url)) return text;
  const expected = { ...before, [KEY]: [url, ...mirrors] };
  if (text === undefined || text.trim() === '') {
    return `${JSON.stringify(expected, undefined, 2)}\n`;
  }
  const edited = KEY in before ? inFront(text, url) : asLast(text, url);
  if (edited !== undefined && isDeepStrictEqual(parsed(edited), expected)) return edited;
  throw new RegistryError('UNSUPPORTED', `its ${KEY} is laid out in a way that is not edited here`);
}

function inFront(text: string, url: string): string | undefined {
  const [list] = [...text.matchAll(/"registry-mirrors"\s*:\s*\[(\s*)/g)];
  if (list === undefined) return undefined;
  const [found, space = ''] = list;
  const end = list.index + found.length;
  const rest = text.slice(end);
  const gap = space === '' ? ' ' : space;
  return `${text.slice(0, end)}${JSON.stringify(url)}${rest.startsWith(']') ? '' : `,${gap}`}${rest}`;
}

function asLast(text: string, url: string): string {
  const indent = /^[{\s]*\n([ \t]+)"/.exec(text)?.[1] ?? '  ';
  const end = text.lastIndexOf('}');
  const head = text.slice(0, end).trimEnd();
  const comma = head.endsWith('{') ? '' : ',';
  return `${head}${comma}\n${indent}"${KEY}": [\n${indent}${indent}${JSON.stringify(url)}\n${indent}]\n${text.slice(end)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RegistryError('REQUEST_INVALID', 'not JSON', { cause });
  }
}

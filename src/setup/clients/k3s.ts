import { Document, isAlias, isMap, isSeq, parseDocument, YAMLMap } from 'yaml';
import { RegistryError } from '../../core/errors.ts';
import { isRecord } from '../../core/shape.ts';
import { Drafts, type Proposal, type ProposalOptions } from '../proposal.ts';
import { textsIn } from '../toml.ts';

export const K3S_FOLDER = '/etc/rancher/k3s';
export const K3S_REGISTRIES = `${K3S_FOLDER}/registries.yaml`;
const AUTHORITY = `${K3S_FOLDER}/layover-ca.pem`;

/** k3s writes containerd's files itself, from `registries.yaml`, when it starts. */
export async function k3s({ target, files }: ProposalOptions): Promise<Proposal> {
  const { mirror, upstreams, ca } = target;
  const drafts = new Drafts();
  if (ca !== undefined) drafts.files.push({ path: AUTHORITY, text: ca });
  await drafts.add(K3S_REGISTRIES, async () => {
    const text = await files.text(K3S_REGISTRIES);
    const document = parsed(text ?? '');
    let changed = false;
    for (const { host } of upstreams) {
      const path = ['mirrors', host, 'endpoint'];
      const endpoints = textsIn(plain(document.getIn(path)));
      if (endpoints.some((one) => one.replace(/\/+$/, '') === mirror.url)) continue;
      const list = document.getIn(path);
      // What is there keeps its comments.
      if (isSeq(list)) list.items.unshift(document.createNode(mirror.url));
      else set(document, path, [mirror.url, ...endpoints]);
      changed = true;
    }
    const trust = ['configs', mirror.authority, 'tls', 'ca_file'];
    if (ca !== undefined && document.getIn(trust) !== AUTHORITY) {
      set(document, trust, AUTHORITY);
      changed = true;
    }
    return changed || text === undefined ? document.toString({ lineWidth: 0 }) : text;
  });
  return {
    files: drafts.files,
    refused: drafts.refused,
    notes: [
      'k3s reads it when it starts: systemctl restart k3s (k3s-agent on agents). RKE2 has the same file in /etc/rancher/rke2.',
    ],
  };
}

/** @throws RegistryError REQUEST_INVALID for what is no mapping in YAML */
function parsed(text: string): Document {
  const document: Document = parseDocument(text);
  const [fault] = document.errors;
  if (fault !== undefined) {
    const [message = 'not YAML'] = fault.message.split('\n', 1);
    throw new RegistryError('REQUEST_INVALID', message, { cause: fault });
  }
  if (document.contents === null) return new Document(new YAMLMap());
  if (!isMap(document.contents)) throw new RegistryError('REQUEST_INVALID', 'not a mapping');
  return document;
}

function set(document: Document, path: readonly string[], value: unknown): void {
  // What has no value yet is no place to put one into.
  for (let depth = 1; depth < path.length; depth += 1) {
    const outer = path.slice(0, depth);
    const node = document.getIn(outer);
    if (node === null || node === undefined) document.setIn(outer, new YAMLMap());
    else if (!isMap(node)) {
      const what = isAlias(node)
        ? `the alias *${node.source}: write out what it stands for`
        : 'no mapping';
      throw new RegistryError('UNSUPPORTED', `${outer.join('.')} is ${what}`);
    }
  }
  document.setIn(path, document.createNode(value));
}

function plain(node: unknown): unknown {
  return isRecord(node) && typeof node['toJSON'] === 'function' ? node['toJSON']() : node;
}

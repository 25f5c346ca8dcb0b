import path from 'node:path';
import {
  CERTS_FOLDER,
  CONFIG,
  firstFolder,
  readContainerd,
  snippet,
  withConfigPath,
  type ContainerdConfig,
} from '../containerd-config.ts';
import { hostsToml } from '../hosts-toml.ts';
import { Drafts, type Proposal, type ProposalOptions } from '../proposal.ts';

/** One `hosts.toml` for each registry: containerd reads them at every pull. */
export async function containerd(options: ProposalOptions): Promise<Proposal> {
  const { target, files, certsFolder, ownConfig } = options;
  const { mirror, upstreams, ca } = target;
  const drafts = new Drafts();
  const notes: string[] = [];
  const config = await readContainerd(files);
  const folder = certsFolder ?? firstFolder(config?.configPath) ?? CERTS_FOLDER;
  const authority = path.posix.join(folder, mirror.authority, 'ca.crt');
  if (ca !== undefined) drafts.files.push({ path: authority, text: ca });
  for (const { host } of upstreams) {
    const name = path.posix.join(folder, host, 'hosts.toml');
    await drafts.add(name, async () =>
      hostsToml(await files.text(name), {
        host,
        mirror,
        ca: ca === undefined ? undefined : authority,
      }),
    );
  }
  const lacking = lackingIn(config, folder);
  if (lacking !== undefined && ownConfig === 'edit') {
    await drafts.add(CONFIG, async () => withConfigPath(await files.text(CONFIG), folder));
    notes.push('containerd reads config.toml when it starts: systemctl restart containerd');
  } else if (lacking !== undefined) {
    notes.push(
      `${lacking} For Kubernetes, ${CONFIG} needs the lines below and containerd a restart; --edit-config writes them.\n\n${snippet(config, folder)}`,
    );
  }
  return {
    files: drafts.files,
    refused: drafts.refused,
    notes: [
      ...notes,
      `ctr reads no config.toml and takes the folder as an option: ctr image pull --hosts-dir ${folder} NAME`,
    ],
  };
}

/** What keeps Kubernetes' interface to containerd from reading the folder; `undefined`: nothing does. */
function lackingIn(config: ContainerdConfig | undefined, folder: string): string | undefined {
  if (config?.configPath === undefined || config.configPath === '') {
    return 'config_path is not set.';
  }
  const folders = config.configPath.split(':');
  if (!folders.includes(folder)) return `config_path is ${config.configPath}, not ${folder}.`;
  if (folders.length === 1) return undefined;
  return `config_path lists several folders (${config.configPath}): from containerd 2.1 on the transfer service takes the list for one folder and finds nothing.`;
}

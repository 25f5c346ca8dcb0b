import path from 'node:path';
import { RegistryError } from '../../../core/errors.ts';
import {
  CERTS_FOLDER,
  CONFIG,
  readContainerd,
  snippet,
  understandContainerd,
  type ContainerdConfig,
} from '../../containerd-config.ts';
import type { ClientFiles } from '../../proposal.ts';
import { type Code, several, type ClientCheck, type Finding, type Situation } from '../check.ts';
import { setupCommand } from '../setup-command.ts';
import { quotedForShell } from '../shell.ts';
import { judgeHosts } from './hosts-toml.ts';

/** From this version on, pulls for Kubernetes go through the transfer service. */
const TRANSFER_SINCE = [2, 1] as const;
/** From this version on, a `config_path` that is not set is a list of folders. */
const LIST_SINCE = [2, 2] as const;
const LIST = '/etc/containerd/certs.d:/etc/docker/certs.d';

type Version = readonly [number, number];

/** What containerd's files say: whether pulls for Kubernetes find the mirror. */
export const containerd: ClientCheck = {
  name: 'containerd',
  client: 'containerd',
  run: async (situation) => {
    const { files } = situation;
    let config: ContainerdConfig | undefined;
    try {
      config = await effective(situation);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      return { looked: CONFIG, findings: [unreadable(error)] };
    }
    const version = await versionOf(situation);
    const folders = foldersOf(config, version);
    const settings = settingsFindings(config, version, (flags) =>
      setupCommand(situation, { client: 'containerd', flags }),
    );
    const hosts = await hostsFindings(situation, folders ?? [CERTS_FOLDER]);
    const where = folders === undefined ? 'no config_path' : `config_path ${folders.join(':')}`;
    const release = version === undefined ? '' : ` ${version.join('.')}`;
    const names = await files.list(folders?.[0] ?? CERTS_FOLDER);
    const count = names.filter((name) => !name.startsWith('.')).length;
    return {
      looked: `containerd${release}: ${where}, ${count} entries`,
      findings: [...settings, ...hosts],
    };
  },
};

function unreadable(error: RegistryError): Finding {
  return {
    code: 'config-unreadable',
    severity: 'fault',
    saw: error.message,
    means: 'containerd does not start with it, or still runs with what it said earlier',
    mend: `containerd config dump   # after the change; layover setup keeps back-ups of its own changes`,
  };
}

/** As containerd itself understands it where it can be asked, otherwise what the files say. */
async function effective({ files, run, here }: Situation): Promise<ContainerdConfig | undefined> {
  const read = await readContainerd(files);
  if (here !== 'this-machine') return read;
  const dump = await run('containerd', ['--config', CONFIG, 'config', 'dump']);
  return dump?.code === 0 ? understandContainerd(dump.out) : read;
}

async function versionOf({ run, here }: Situation): Promise<Version | undefined> {
  if (here !== 'this-machine') return undefined;
  const told = await run('containerd', ['--version']);
  const [, major, minor] = /\bv?(\d+)\.(\d+)\./.exec(told?.out.replace(/\bgo\S+/g, '') ?? '') ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

function since(version: Version | undefined, [major, minor]: Version): boolean | undefined {
  if (version === undefined) return undefined;
  return version[0] > major || (version[0] === major && version[1] >= minor);
}

function foldersOf(config: ContainerdConfig | undefined, version: Version | undefined) {
  const set = config?.configPath ?? '';
  if (set !== '') return set.split(':');
  return since(version, LIST_SINCE) === true ? LIST.split(':') : undefined;
}

function settingsFindings(
  config: ContainerdConfig | undefined,
  version: Version | undefined,
  setup: (flags: readonly string[]) => string,
): readonly Finding[] {
  if (config?.cri === 'off') return [];
  const folders = foldersOf(config, version);
  const lines = snippet(config, CERTS_FOLDER).trim().replaceAll('\n', ' ');
  const mend = `${setup(['--edit-config'])}   # or by hand in ${CONFIG}: ${lines}; then systemctl restart containerd`;
  if (folders === undefined) {
    return [
      {
        code: 'config-path-unset',
        severity: 'fault',
        saw: `${CONFIG} sets no config_path for registries`,
        means: 'pulls for Kubernetes read no hosts.toml at all; ctr and nerdctl still do',
        mend,
      },
    ];
  }
  const transfers = since(version, TRANSFER_SINCE) ?? config?.version === 3;
  if (folders.length === 1 || !transfers || config?.pulls === 'local') return [];
  return [
    {
      code: 'transfer-service',
      severity: 'fault',
      saw: `config_path is a list (${folders.join(':')}), and pulls go through the transfer service`,
      means:
        'the transfer service takes the list for the name of one folder, finds nothing there, and goes past the mirror without a word in the log',
      mend: `${mend}   # or use_local_image_pull = true`,
    },
  ];
}

/** Where containerd looks for a registry's settings, in a folder; the first that exists counts. */
function places(folder: string, host: string): readonly string[] {
  const withPort = /^(.*):(\d+)$/.exec(host);
  const names = withPort === null ? [host] : [`${withPort[1]}_${withPort[2]}_`, host];
  return [...names, '_default'].map((name) => path.posix.join(folder, name));
}

async function fileFor(
  files: ClientFiles,
  folders: readonly string[],
  host: string,
): Promise<string | undefined> {
  for (const folder of folders) {
    const there = new Set(await files.list(folder));
    const found = places(folder, host).find((place) => there.has(path.posix.basename(place)));
    if (found !== undefined) return path.posix.join(found, 'hosts.toml');
  }
  return undefined;
}

async function hostsFindings(
  situation: Situation,
  folders: readonly string[],
): Promise<readonly Finding[]> {
  const { files, mirror, upstreams } = situation;
  const setup = setupCommand(situation, { client: 'containerd' });
  const missing: string[] = [];
  const elsewhere: string[] = [];
  const findings = new Map<string, Finding>();
  for (const host of upstreams) {
    const name = await fileFor(files, folders, host);
    const text = name === undefined ? undefined : await files.text(name);
    if (name === undefined || text === undefined) {
      missing.push(host);
      continue;
    }
    const verdict = await judgeHosts(text, {
      ...situation,
      host,
      folder: path.posix.dirname(name),
    });
    if (verdict === 'other') elsewhere.push(host);
    else if (verdict !== 'right') findings.set(name, broken(name, verdict, situation));
  }
  const lacking = (code: Code, hosts: readonly string[], saw: string): readonly Finding[] =>
    hosts.length === 0
      ? []
      : [
          {
            code,
            severity: 'fault',
            saw: `${saw} ${several(hosts)}`,
            means: 'containerd pulls these from the registry itself',
            mend: setup,
          },
        ];
  return [
    ...findings.values(),
    ...lacking('hosts-missing', missing, `in ${folders.join(', ')} there is no hosts.toml for`),
    ...lacking('hosts-elsewhere', elsewhere, `hosts.toml does not lead to ${mirror.url} for`),
  ];
}

function broken(name: string, verdict: string, situation: Situation): Finding {
  const place = quotedForShell(path.posix.join(situation.given.root, name));
  const setup = setupCommand(situation, { client: 'containerd' });
  return {
    code: 'hosts-invalid',
    severity: 'fault',
    saw: `${name}: ${verdict}`,
    means:
      'containerd leaves the file or the mirror in it aside, with one line in its log, and pulls from the registry itself',
    mend: `mv ${place} ${place}.old; ${setup}   # or mend that line by hand`,
  };
}

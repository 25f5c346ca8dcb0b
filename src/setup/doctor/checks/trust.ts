import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { isRecord } from '../../../core/shape.ts';
import { BUILDKITD } from '../../clients/buildkit.ts';
import { DOCKER_CERTS } from '../../clients/docker.ts';
import { K3S_REGISTRIES } from '../../clients/k3s.ts';
import { CONTAINERS_FOLDER } from '../../clients/podman.ts';
import { CERTS_FOLDER, firstFolder, readContainerd } from '../../containerd-config.ts';
import type { ClientName } from '../../proposal.ts';
import { get } from '../../request.ts';
import { at, parseToml } from '../../toml.ts';
import { several, type Check, type Situation } from '../check.ts';
import { setupCommand } from '../setup-command.ts';

/** Whether the client can trust a mirror whose authority this machine does not know of itself. */
export function trust(client: ClientName): Check {
  return {
    name: 'trust',
    run: async (situation) => {
      const { mirror, ca } = situation;
      if (mirror.scheme === 'http' || ca === undefined) return undefined;
      const looked = `how ${client} trusts the mirror's certificate`;
      if (await trustedAnyway(situation)) return { looked, findings: [] };
      // A file that cannot be read is the finding of another check.
      const lacking = await lackingIn(client, situation).catch(() => []);
      if (lacking.length === 0) return { looked, findings: [] };
      return {
        looked,
        findings: [
          {
            code: 'authority-missing',
            severity: 'fault',
            saw: `${several(lacking)}: no authority is named for ${mirror.authority}, and this machine knows none for it`,
            means: `${client} does not believe the mirror's certificate and goes past it`,
            mend: setupCommand(situation, { client }),
          },
        ],
      };
    },
  };
}

/** By what this machine trusts anyway, as the clients do that are told nothing. */
async function trustedAnyway({ mirror, here, patience: timeout }: Situation): Promise<boolean> {
  if (here !== 'this-machine') return false;
  return get(`${mirror.url}/livez`, { timeout, trust: 'machine' }).then(
    () => true,
    () => false,
  );
}

/** Where an authority is missing: registries, or a file. */
async function lackingIn(client: ClientName, situation: Situation): Promise<readonly string[]> {
  const { files, mirror, upstreams } = situation;
  const file = async (name: string): Promise<readonly string[]> =>
    (await files.text(name)) === undefined ? [name] : [];
  switch (client) {
    case 'containerd': {
      const config = await readContainerd(files);
      return hostsWithout(situation, firstFolder(config?.configPath) ?? CERTS_FOLDER, upstreams);
    }
    case 'docker': {
      const others = upstreams.filter((host) => host !== 'docker.io');
      const hub = await file(path.posix.join(DOCKER_CERTS, mirror.authority, 'ca.crt'));
      return [...hub, ...(await hostsWithout(situation, DOCKER_CERTS, others))];
    }
    case 'podman':
      return file(path.posix.join(CONTAINERS_FOLDER, 'certs.d', mirror.authority, 'ca.crt'));
    case 'buildkit': {
      const table = at(
        parseToml((await files.text(BUILDKITD)) ?? ''),
        'registry',
        mirror.authority,
      );
      return isTrusting(table, ['ca', 'insecure']) ? [] : [BUILDKITD];
    }
    case 'k3s': {
      const text = (await files.text(K3S_REGISTRIES)) ?? '';
      const table = at(parseYaml(text), 'configs', mirror.authority, 'tls');
      return isTrusting(table, ['ca_file', 'insecure_skip_verify']) ? [] : [K3S_REGISTRIES];
    }
  }
}

/** Registries whose `hosts.toml` has the mirror without saying how to trust it. */
async function hostsWithout(
  { files, mirror }: Situation,
  folder: string,
  hosts: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const host of hosts) {
    const text = await files.text(path.posix.join(folder, host, 'hosts.toml'));
    const table = text === undefined ? undefined : at(parseToml(text), 'host', mirror.url);
    if (table !== undefined && !isTrusting(table, ['ca', 'skip_verify'])) found.push(host);
  }
  return found;
}

function isTrusting(table: unknown, keys: readonly string[]): boolean {
  return isRecord(table) && keys.some((key) => table[key] !== undefined && table[key] !== false);
}

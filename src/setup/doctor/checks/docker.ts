import path from 'node:path';
import { RegistryError } from '../../../core/errors.ts';
import { isRecord } from '../../../core/shape.ts';
import { DAEMON, DOCKER_CERTS } from '../../clients/docker.ts';
import { parseToml, textsIn } from '../../toml.ts';
import type { Code, ClientCheck, Finding } from '../check.ts';

/** What Docker's files say. */
export const docker: ClientCheck = {
  name: 'docker',
  client: 'docker',
  run: async ({ files, mirror, upstreams }) => {
    const setup = `layover setup docker --mirror ${mirror.url} --write; systemctl reload docker`;
    const fault = (code: Code, saw: string, means: string): Finding => {
      return { code, severity: 'fault', saw, means, mend: setup };
    };
    const found: Finding[] = [];
    const daemon = settings((await files.text(DAEMON)) ?? '{}');
    if (daemon === undefined) {
      const means = 'Docker does not start with it';
      found.push(fault('config-unreadable', `${DAEMON} is no JSON object`, means));
    } else if (upstreams.includes('docker.io')) {
      const mirrors = textsIn(daemon['registry-mirrors']).map((one) => one.replace(/\/+$/, ''));
      if (!mirrors.includes(mirror.url)) {
        const saw = `${DAEMON} has no ${mirror.url} in registry-mirrors`;
        found.push(fault('mirror-missing', saw, 'Docker pulls from Docker Hub itself'));
      }
    }
    for (const host of upstreams) {
      const name = path.posix.join(DOCKER_CERTS, host, 'hosts.toml');
      const reason = faultIn((await files.text(name)) ?? '');
      if (reason === undefined) continue;
      const means = 'the file is left aside: Docker pulls from the registry itself';
      found.push(fault('hosts-invalid', `${name}: ${reason}`, means));
    }
    return { looked: `docker: ${DAEMON} and ${DOCKER_CERTS}`, findings: found };
  },
};

function settings(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function faultIn(text: string): string | undefined {
  try {
    parseToml(text);
    return undefined;
  } catch (error) {
    if (error instanceof RegistryError) return error.message;
    throw error;
  }
}

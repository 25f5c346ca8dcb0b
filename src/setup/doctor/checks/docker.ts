import path from 'node:path';
import { RegistryError } from '../../../core/errors.ts';
import { isRecord } from '../../../core/shape.ts';
import { DAEMON, DOCKER_CERTS } from '../../clients/docker.ts';
import { parseToml, textsIn } from '../../toml.ts';
import type { Code, ClientCheck, Finding } from '../check.ts';
import { setupCommand } from '../setup-command.ts';

/** What Docker's files say. */
export const docker: ClientCheck = {
  name: 'docker',
  client: 'docker',
  run: async (situation) => {
    const { files, mirror, upstreams } = situation;
    const setup = `${setupCommand(situation, { client: 'docker' })}; systemctl reload docker`;
    const fault = (code: Code, saw: string, means: string, mend = setup): Finding => {
      return { code, severity: 'fault', saw, means, mend };
    };
    const found: Finding[] = [];
    const daemon = settings((await files.text(DAEMON)) ?? '{}');
    if (daemon === undefined) {
      const means = 'Docker does not start with it';
      const mend = `mend ${DAEMON} by hand; then: ${setup}`;
      found.push(fault('config-unreadable', `${DAEMON} is no JSON object`, means, mend));
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
      const mend = `mend ${name} by hand, or take it away; then: ${setup}`;
      found.push(fault('hosts-invalid', `${name}: ${reason}`, means, mend));
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

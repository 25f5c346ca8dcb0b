import { parse, YAMLError } from 'yaml';
import { K3S_REGISTRIES } from '../../clients/k3s.ts';
import { at, textsIn } from '../../toml.ts';
import { type Code, several, type ClientCheck, type Finding } from '../check.ts';
import { setupCommand } from '../setup-command.ts';

/** What k3s' file says. */
export const k3s: ClientCheck = {
  name: 'k3s',
  client: 'k3s',
  run: async (situation) => {
    const { files, mirror, upstreams } = situation;
    const looked = `k3s: ${K3S_REGISTRIES}`;
    const setup = `${setupCommand(situation, { client: 'k3s' })}; systemctl restart k3s   # k3s-agent on agents`;
    const fault = (code: Code, saw: string, means: string, mend = setup): Finding => {
      return { code, severity: 'fault', saw, means, mend };
    };
    let registries: unknown;
    try {
      registries = parse((await files.text(K3S_REGISTRIES)) ?? '');
    } catch (error) {
      if (!(error instanceof YAMLError)) throw error;
      const saw = `${K3S_REGISTRIES}: ${error.message.split('\n', 1)[0] ?? ''}`;
      const mend = `mend ${K3S_REGISTRIES} by hand; then: ${setup}`;
      const means = 'k3s does not start with it';
      return { looked, findings: [fault('config-unreadable', saw, means, mend)] };
    }
    const missing = upstreams.filter((host) => {
      const endpoints = textsIn(at(registries, 'mirrors', host, 'endpoint'));
      return !endpoints.some((one) => one.replace(/\/+$/, '') === mirror.url);
    });
    const saw = `${K3S_REGISTRIES} has no ${mirror.url} among the endpoints of ${several(missing)}`;
    const means = 'k3s has containerd pull these from the registry itself';
    const findings = missing.length === 0 ? [] : [fault('mirror-missing', saw, means)];
    return { looked, findings };
  },
};

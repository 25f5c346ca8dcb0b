import { RegistryError } from '../../../core/errors.ts';
import { withoutBlock } from '../../block.ts';
import { BUILDKITD } from '../../clients/buildkit.ts';
import { at, parseToml, textsIn, type Toml } from '../../toml.ts';
import { type Code, several, type ClientCheck, type Finding } from '../check.ts';
import { setupCommand } from '../setup-command.ts';

/** What BuildKit's file says. */
export const buildkit: ClientCheck = {
  name: 'buildkit',
  client: 'buildkit',
  run: async (situation) => {
    const { files, mirror, upstreams } = situation;
    const looked = `buildkit: ${BUILDKITD}; whether pulls arrive is not tried`;
    const setup = `${setupCommand(situation, { client: 'buildkit' })}   # then restart buildkitd`;
    const fault = (code: Code, saw: string, means: string, mend = setup): Finding => {
      return { code, severity: 'fault', saw, means, mend };
    };
    const text = (await files.text(BUILDKITD)) ?? '';
    let toml: Toml;
    try {
      toml = parseToml(text);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const saw = `${BUILDKITD}: ${error.message}`;
      const mend = `mend ${BUILDKITD} by hand; then: ${setup}`;
      return {
        looked,
        findings: [fault('config-unreadable', saw, 'buildkitd does not start', mend)],
      };
    }
    const found: Finding[] = [];
    const missing = upstreams.filter(
      (host) => !textsIn(at(toml, 'registry', host, 'mirrors')).includes(mirror.authority),
    );
    if (missing.length > 0) {
      const saw = `${BUILDKITD} has no ${mirror.authority} in mirrors of ${several(missing)}`;
      found.push(fault('mirror-missing', saw, 'BuildKit pulls from the registry itself'));
    }
    if (mirror.scheme === 'http' && at(toml, 'registry', mirror.authority, 'http') !== true) {
      const saw = `${BUILDKITD} has no http = true for ${mirror.authority}`;
      // What somebody else wrote of the mirror setup leaves as it is.
      const theirs = at(parseToml(withoutBlock(text)), 'registry', mirror.authority);
      const byHand = `in ${BUILDKITD}, below [registry."${mirror.authority}"]: http = true; then restart buildkitd`;
      const means = 'BuildKit tries HTTPS, fails, and goes past the mirror';
      found.push(fault('not-insecure', saw, means, theirs === undefined ? setup : byHand));
    }
    return { looked, findings: found };
  },
};

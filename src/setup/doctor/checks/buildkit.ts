import { RegistryError } from '../../../core/errors.ts';
import { BUILDKITD } from '../../clients/buildkit.ts';
import { at, parseToml, textsIn, type Toml } from '../../toml.ts';
import { type Code, several, type ClientCheck, type Finding } from '../check.ts';

/** What BuildKit's file says. */
export const buildkit: ClientCheck = {
  name: 'buildkit',
  client: 'buildkit',
  run: async ({ files, mirror, upstreams }) => {
    const looked = `buildkit: ${BUILDKITD}; whether pulls arrive is not tried`;
    const mend = `layover setup buildkit --mirror ${mirror.url} --write   # then restart buildkitd`;
    const fault = (code: Code, saw: string, means: string): Finding => {
      return { code, severity: 'fault', saw, means, mend };
    };
    let toml: Toml;
    try {
      toml = parseToml((await files.text(BUILDKITD)) ?? '');
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const saw = `${BUILDKITD}: ${error.message}`;
      return { looked, findings: [fault('config-unreadable', saw, 'buildkitd does not start')] };
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
      found.push(
        fault('not-insecure', saw, 'BuildKit tries HTTPS, fails, and goes past the mirror'),
      );
    }
    return { looked, findings: found };
  },
};

import { RegistryError } from '../../../core/errors.ts';
import { isRecord } from '../../../core/shape.ts';
import { configFiles } from '../../clients/podman.ts';
import type { Mirror } from '../../target.ts';
import { parseToml } from '../../toml.ts';
import { type Code, several, type ClientCheck, type Finding, type Situation } from '../check.ts';

type Table = Readonly<Record<string, unknown>>;

/** What the files of Podman, Buildah, skopeo and CRI-O say. */
export const podman: ClientCheck = {
  name: 'podman',
  client: 'podman',
  run: async (situation) => {
    const { files, mirror, upstreams } = situation;
    const registries = new Map<string, Table>();
    const found: Finding[] = [];
    const names = await configFiles(files);
    for (const name of names) {
      try {
        for (const one of registriesIn((await files.text(name)) ?? '')) {
          registries.set(String(one['prefix'] ?? one['location']), one);
        }
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        found.push(unreadable(name, error.message));
      }
    }
    const verdicts = upstreams.map(
      (host) => [host, verdict(registries.get(host), mirror)] as const,
    );
    if (found.length === 0) found.push(...findingsOf(verdicts, situation));
    return { looked: `podman: ${names.length} files of registries.conf`, findings: found };
  },
};

type Verdict = 'right' | 'missing' | 'no-name' | 'not-insecure';

function verdict(registry: Table | undefined, mirror: Mirror): Verdict {
  const mirrors = Array.isArray(registry?.['mirror']) ? registry['mirror'].filter(isRecord) : [];
  const own = mirrors.find(({ location }) => isAt(String(location), mirror.authority));
  if (own === undefined) return 'missing';
  if (String(own['location']) === mirror.authority) return 'no-name';
  return mirror.scheme === 'http' && own['insecure'] !== true ? 'not-insecure' : 'right';
}

function isAt(location: string, authority: string): boolean {
  return location === authority || location.startsWith(`${authority}/`);
}

function findingsOf(
  verdicts: readonly (readonly [string, Verdict])[],
  { mirror, known }: Situation,
): readonly Finding[] {
  const of = (wanted: Verdict): readonly string[] =>
    verdicts.filter(([, verdict]) => verdict === wanted).map(([host]) => host);
  // Without a name in the path a mirror takes everything for its default.
  const nameless = of('no-name').filter((host) => host !== known?.defaultUpstream);
  const mend = `layover setup podman --mirror ${mirror.url} --write`;
  const finding = (
    code: Code,
    hosts: readonly string[],
    saw: string,
    means: string,
  ): readonly Finding[] =>
    hosts.length === 0
      ? []
      : [{ code, severity: 'fault', saw: `${saw} ${several(hosts)}`, means, mend }];
  return [
    ...finding(
      'mirror-missing',
      of('missing'),
      `registries.conf has no mirror at ${mirror.authority} for`,
      'Podman and its relatives pull from the registry itself',
    ),
    ...finding(
      'no-name-in-path',
      nameless,
      `the mirror's location is ${mirror.authority} without a registry behind it for`,
      'the mirror cannot tell which registry is meant and looks in its default one',
    ),
    ...finding(
      'not-insecure',
      of('not-insecure'),
      `the mirror speaks plain HTTP, and its entry has no insecure = true for`,
      'Podman and its relatives try HTTPS, fail, and pull from the registry itself',
    ),
  ];
}

function unreadable(name: string, message: string): Finding {
  return {
    code: 'config-unreadable',
    severity: 'fault',
    saw: `${name}: ${message}`,
    means: 'Podman and its relatives refuse every pull',
    mend: `mend ${name}; layover setup podman --undo takes its own file away`,
  };
}

function registriesIn(text: string): readonly Table[] {
  const { registry } = parseToml(text);
  const list: readonly unknown[] = Array.isArray(registry) ? registry : [];
  return list.filter(isRecord);
}

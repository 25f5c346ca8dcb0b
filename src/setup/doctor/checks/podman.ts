import { RegistryError } from '../../../core/errors.ts';
import { isRecord } from '../../../core/shape.ts';
import { configFiles, OURS } from '../../clients/podman.ts';
import type { Mirror } from '../../target.ts';
import { parseToml } from '../../toml.ts';
import { type Code, several, type ClientCheck, type Finding, type Situation } from '../check.ts';
import { setupCommand } from '../setup-command.ts';

type Table = Readonly<Record<string, unknown>>;

/** Settings of a registry, and the file that has them. */
interface Entry {
  readonly file: string;
  readonly prefix: string;
  readonly table: Table;
}

/** What the files of Podman, Buildah, skopeo and CRI-O say. */
export const podman: ClientCheck = {
  name: 'podman',
  client: 'podman',
  run: async (situation) => {
    const { files, mirror, upstreams } = situation;
    const entries = new Map<string, Entry>();
    const found: Finding[] = [];
    const names = await configFiles(files);
    for (const file of names) {
      try {
        for (const table of registriesIn((await files.text(file)) ?? '')) {
          const prefix = String(table['prefix'] ?? table['location']);
          entries.set(prefix, { file, prefix, table });
        }
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        found.push(unreadable(file, error.message));
      }
    }
    const verdicts = upstreams.map((host): Judged => {
      const entry = entryFor(host, entries);
      return { host, entry, verdict: verdict(entry?.table, mirror) };
    });
    if (found.length === 0) found.push(...findingsOf(verdicts, situation));
    return { looked: `podman: ${names.length} files of registries.conf`, findings: found };
  },
};

type Verdict = 'right' | 'missing' | 'no-name' | 'not-insecure' | 'digests' | 'tags';

interface Judged {
  readonly host: string;
  readonly entry: Entry | undefined;
  readonly verdict: Verdict;
}

/** As they look for it: the longest prefix that fits; a star stands for what is below a domain. */
function entryFor(host: string, entries: ReadonlyMap<string, Entry>): Entry | undefined {
  const fits = [...entries.values()].filter(
    ({ prefix }) => prefix === host || (prefix.startsWith('*.') && host.endsWith(prefix.slice(1))),
  );
  return fits.toSorted((one, other) => other.prefix.length - one.prefix.length)[0];
}

function verdict(registry: Table | undefined, mirror: Mirror): Verdict {
  const mirrors = Array.isArray(registry?.['mirror']) ? registry['mirror'].filter(isRecord) : [];
  const own = mirrors.find(({ location }) => isAt(String(location), mirror.authority));
  if (own === undefined) return 'missing';
  if (String(own['location']) === mirror.authority) return 'no-name';
  if (mirror.scheme === 'http' && own['insecure'] !== true) return 'not-insecure';
  const asked = own['pull-from-mirror'];
  if (asked === 'digest-only' || registry?.['mirror-by-digest-only'] === true) return 'digests';
  return asked === 'tag-only' ? 'tags' : 'right';
}

function isAt(location: string, authority: string): boolean {
  return location === authority || location.startsWith(`${authority}/`);
}

interface Told {
  readonly code: Code;
  readonly saw: string;
  readonly means: string;
  /** What a file of somebody else's has to say below its `[[registry]]`. */
  readonly line: string;
}

function toldOf(mirror: Mirror): Readonly<Record<Exclude<Verdict, 'right'>, Told>> {
  const { authority } = mirror;
  const past = 'Podman and its relatives pull from the registry itself';
  const insecure = mirror.scheme === 'http' ? ', insecure = true' : '';
  const part = (what: string): Told => ({
    code: 'mirror-partly',
    saw: `the mirror is asked for ${what} alone for`,
    means: 'all other pulls go to the registry itself',
    line: 'without pull-from-mirror and mirror-by-digest-only',
  });
  return {
    missing: {
      code: 'mirror-missing',
      saw: `registries.conf has no mirror at ${authority} for`,
      means: past,
      line: `[[registry.mirror]] location = "${authority}/HOST"${insecure}`,
    },
    'no-name': {
      code: 'no-name-in-path',
      saw: `the mirror's location is ${authority} without a registry behind it for`,
      means: 'the mirror cannot tell which registry is meant and looks in its default one',
      line: `location = "${authority}/HOST"`,
    },
    'not-insecure': {
      code: 'not-insecure',
      saw: 'the mirror speaks plain HTTP, and its entry has no insecure = true for',
      means: `Podman and its relatives try HTTPS and fail: ${past}`,
      line: 'insecure = true',
    },
    digests: part('digests'),
    tags: part('tags'),
  };
}

function findingsOf(judged: readonly Judged[], situation: Situation): readonly Finding[] {
  const { mirror, known } = situation;
  const found: Finding[] = [];
  for (const [wanted, { code, saw, means, line }] of Object.entries(toldOf(mirror))) {
    const those = judged.filter(
      // Without a name in the path a mirror takes everything for its default.
      ({ verdict, host }) =>
        verdict === wanted && !(verdict === 'no-name' && host === known?.defaultUpstream),
    );
    if (those.length === 0) continue;
    const theirs = those.filter(({ entry }) => entry !== undefined && entry.file !== OURS);
    // What somebody else wrote setup leaves as it is.
    const byHand = theirs.map(
      ({ host, entry }) =>
        `in ${entry?.file ?? ''}, [[registry]] "${entry?.prefix ?? ''}": ${line.replace('HOST', host)}`,
    );
    const setup = setupCommand(situation, { client: 'podman' });
    const mends = theirs.length < those.length ? [setup, ...byHand] : byHand;
    found.push({
      code,
      severity: 'fault',
      saw: `${saw} ${several(those.map(({ host }) => host))}`,
      means,
      mend: mends.join('; '),
    });
  }
  return found;
}

function unreadable(name: string, message: string): Finding {
  return {
    code: 'config-unreadable',
    severity: 'fault',
    saw: `${name}: ${message}`,
    means: 'Podman and its relatives refuse every pull',
    mend: `mend ${name} by hand; layover setup podman --undo takes its own file away`,
  };
}

function registriesIn(text: string): readonly Table[] {
  const { registry, registries } = parseToml(text);
  const list: readonly unknown[] = Array.isArray(registry) ? registry : [];
  if (list.length > 0 && isRecord(registries)) {
    throw new RegistryError(
      'REQUEST_INVALID',
      'it has [[registry]] and the tables of version 1 ([registries.…]) at once',
    );
  }
  return list.filter(isRecord);
}

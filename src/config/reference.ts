import { variables } from './environment.ts';
import { outline, NAME, type Key } from './outline.ts';
import { inline } from './show.ts';
import { WELL_KNOWN, type WellKnown } from './well-known.ts';

const HEAD = `<!-- Made by "npm run docs" from src/config/schema.ts: change the schema, not this file. -->

# Configuration

\`config/layover.yaml\` holds every key with its default. Another file is named by \`--config\` or
\`LAYOVER_CONFIG\`. A file needs only what differs. It is YAML 1.2, so \`yes\`, \`no\`, \`on\` and \`off\` are
plain text; anchors and aliases work, merge keys (\`<<\`) do not.

Each place wins over the ones before it:

1. the defaults,
2. the file,
3. environment variables: the path of the key in upper case, words divided by \`_\`
   (\`tags.freshFor\` is \`LAYOVER_TAGS_FRESH_FOR\`). Lists are divided by commas. An empty variable counts as
   not set. Upstreams are set in the file alone,
4. flags: see \`layover serve --help\`.

A configuration with any fault stops the start, and every fault is listed with its line and column:

\`\`\`
config/layover.yaml:12:13 tags.freshFor: 60 is not a duration; allowed: …
\`\`\`

An unknown key and an unknown \`LAYOVER_…\` variable are faults too. The variables that Kubernetes sets
for a Service called \`layover\` (\`LAYOVER_PORT\`, \`LAYOVER_SERVICE_HOST\`, …) are left alone.

\`\`\`
layover settings check [FILE]   tells every fault, --files: also of files that it names; exit code 1 if there is one
layover settings show           what is in effect, and where each value comes from; secrets are masked
layover settings schema         the JSON Schema, for editors and charts
\`\`\`

- **Durations** are whole numbers with a unit: \`500ms\`, \`30s\`, \`5m\`, \`1h30m\`, \`7d\`.
- **Sizes** are plain bytes, or numbers with a unit: \`10MiB\`, \`50GiB\`, \`2GB\`.
- **Addresses** are \`host:port\`, \`"[::1]:8080"\` (YAML needs the quotes), or \`:8080\` for every address of
  the machine.
- **Paths** are relative to the working folder.
`;

const UPSTREAMS = `### upstreams

Each key is the name of a registry as image references have it, with its port if it has one. Requests
reach these registries and no others. Configured from the start, whether the file names them or not:

${Object.entries(WELL_KNOWN)
  .map(([name, known]) => `- ${[`\`${name}\``, ...particulars(known)].join(', ')}`)
  .join('\n')}

- \`quay.io: {}\`, or no value at all, means the defaults.
- \`quay.io: { maxConnections: 4 }\` changes that and keeps the rest.
- \`quay.io: off\` takes it out. It is a word, because an entry without a value already means the defaults;
  \`false\` says the same, because tools that write YAML 1.1 turn \`off\` into it.

`;

function particulars({ url, aliases = [] }: WellKnown): readonly string[] {
  const also = aliases.map((alias) => `\`${alias}\``).join(', ');
  return [...(url === undefined ? [] : [`at ${url}`]), ...(also === '' ? [] : [`also as ${also}`])];
}

/** The text of docs/configuration.md. */
export function reference(): string {
  const keys = outline();
  const plain = keys.filter((key) => key.keys.length === 0);
  const sections = keys.filter((key) => key.keys.length > 0 && key.name !== 'upstreams');
  const upstreams = keys.filter((key) => key.name === 'upstreams');
  return [
    HEAD,
    '## Keys\n',
    table(plain),
    ...keys
      .filter(({ entries }) => entries.length > 0)
      .map(
        ({ name, description, entries }) =>
          `### ${name}\n\n${description} Each entry has\n\n${table(entries)}`,
      ),
    ...sections.map((key) => `### ${key.name}\n\n${key.description}\n\n${table(key.keys)}`),
    UPSTREAMS + upstreams.map((key) => table(flat(key.keys))).join(''),
    '## Environment variables\n',
    `${[...variables().keys()].map((variable) => `- \`${variable}\``).join('\n')}\n`,
  ].join('\n');
}

/** Sections inside an upstream become rows of the one table. */
function flat(keys: readonly Key[]): readonly Key[] {
  return keys.flatMap((key) => [key].concat(flat(key.keys)));
}

function table(keys: readonly Key[]): string {
  const rows = keys.map(
    (key) =>
      `| \`${label(key.path)}\` | ${cell(key.type)} | ${standard(key)} | ${cell(key.description)} |`,
  );
  return `| key | value | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function label(path: readonly string[]): string {
  return (path[1] === NAME ? path.slice(2) : path).join('.');
}

function standard({ type, default: value }: Key): string {
  return value === undefined || type === 'section' ? '' : `\`${inline(value)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

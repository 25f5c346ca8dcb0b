import path from 'node:path';
import { RegistryError } from '../../../core/errors.ts';
import { isRecord } from '../../../core/shape.ts';
import type { ClientFiles } from '../../proposal.ts';
import { at, parseToml, textsIn, type Toml } from '../../toml.ts';
import type { Situation } from '../check.ts';

const CAPABILITIES = new Set(['pull', 'resolve', 'push', 'referrers']);

interface Judged extends Pick<Situation, 'files' | 'mirror' | 'known'> {
  /** The registry that the file is for. */
  readonly host: string;
  /** The file's; paths in it start there. */
  readonly folder: string;
}

type Table = Readonly<Record<string, unknown>>;

/** `right`, `other` where the mirror is not in it, or why containerd ignores it. */
export async function judgeHosts(text: string, judged: Judged): Promise<string> {
  let toml: Toml;
  try {
    toml = parseToml(text);
  } catch (error) {
    if (error instanceof RegistryError) return error.message;
    throw error;
  }
  const hosts = toml['host'] ?? {};
  if (!isRecord(hosts)) return '"host" is not a table';
  const tables: readonly (readonly [string, unknown])[] = [
    ['', toml],
    ...Object.entries(hosts).map(([name, host]) => [`[host."${name}"] `, host] as const),
  ];
  for (const [name, table] of tables) {
    if (!isRecord(table)) return `${name}is not a table`;
    const fault = wrongType(table) ?? (await missingFile(table, judged));
    if (fault !== undefined) return `${name}${fault}`;
  }
  const own = Object.keys(hosts).find((name) => leads(name, hosts[name], judged));
  if (own !== undefined) return lacking(`[host."${own}"]`, at(hosts, own));
  const { server } = toml;
  const last = typeof server === 'string' && leads(server, toml, judged);
  // Hosts are asked before the server.
  return last && Object.keys(hosts).length === 0 ? lacking('server', toml) : 'other';
}

/** Whether requests for the registry get to the mirror by this address. */
function leads(address: string, table: unknown, { mirror, host, known }: Judged): boolean {
  const bare = address.replace(/\/+$/, '');
  if (bare === mirror.url) return true;
  if (at(table, 'override_path') !== true) return bare === `${mirror.url}/v2`;
  const aliases = known?.upstreams.find((one) => one.host === host)?.aliases ?? [];
  return [host, ...aliases].some((name) => bare === `${mirror.url}/v2/${name}`);
}

function lacking(where: string, table: unknown): string {
  const said = at(table, 'capabilities');
  if (said === undefined) return 'right';
  const lacking = ['pull', 'resolve'].filter((one) => !textsIn(said).includes(one));
  return lacking.length === 0 ? 'right' : `${where} lacks the capability ${lacking.join(' and ')}`;
}

/** The key whose value is of a type that containerd does not take, and what it takes. */
function wrongType(table: Table): string | undefined {
  for (const [key, [fits, wanted]] of Object.entries(TYPES)) {
    const value = table[key];
    if (value !== undefined && !fits(value)) return `${key} has to be ${wanted}`;
  }
  const unknown = textsIn(table['capabilities']).find((one) => !CAPABILITIES.has(one));
  return unknown === undefined ? undefined : `has an unknown capability: ${unknown}`;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isList = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isTexts = (value: unknown): boolean => isText(value) || isList(value);
const isPair = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= 2 && isList(value);

const TYPES: Readonly<
  Record<string, readonly [fits: (value: unknown) => boolean, wanted: string]>
> = {
  server: [isText, 'a text'],
  capabilities: [isList, 'a list of texts'],
  ca: [isTexts, 'a text or a list of texts'],
  client: [
    (value) =>
      isTexts(value) || (Array.isArray(value) && value.every((one) => isText(one) || isPair(one))),
    'a text, a list of texts, or a list of pairs',
  ],
  skip_verify: [isBoolean, 'true or false, without quotes'],
  override_path: [isBoolean, 'true or false, without quotes'],
  dial_timeout: [isDuration, 'a duration such as "5s"'],
  header: [
    (value) => isRecord(value) && Object.values(value).every(isTexts),
    'a table of texts or lists of texts',
  ],
};

/** As Go's `time.ParseDuration` reads it. */
function isDuration(value: unknown): boolean {
  return (
    typeof value === 'string' && /^[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(value)
  );
}

async function missingFile(
  table: Table,
  { files, folder }: { readonly files: ClientFiles; readonly folder: string },
): Promise<string | undefined> {
  for (const key of ['ca', 'client']) {
    const value = table[key];
    const names = Array.isArray(value) ? value.flat() : [value];
    for (const name of names) {
      if (typeof name !== 'string' || name === '') continue;
      const place = path.posix.resolve(folder, name);
      if ((await files.text(place)) === undefined)
        return `${key} names ${place}, which is not there`;
    }
  }
  return undefined;
}

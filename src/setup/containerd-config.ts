import path from 'node:path';
import { RegistryError } from '../core/errors.ts';
import { isRecord } from '../core/shape.ts';
import type { ClientFiles } from './proposal.ts';
import { statements } from './toml-statements.ts';
import { at, parseToml, proven, quoted, textsIn, type Toml } from './toml.ts';

export const CONFIG = '/etc/containerd/config.toml';
export const CERTS_FOLDER = '/etc/containerd/certs.d';

/** Where the settings of registries are, by the version that a configuration says it has. */
const REGISTRY: Readonly<Record<1 | 2 | 3, readonly string[]>> = {
  1: ['plugins', 'cri', 'registry'],
  2: ['plugins', 'io.containerd.grpc.v1.cri', 'registry'],
  3: ['plugins', 'io.containerd.cri.v1.images', 'registry'],
};

/** What containerd's own configuration says about registries. */
export interface ContainerdConfig {
  readonly version: 1 | 2 | 3;
  /** As it is: one folder, or several with colons between them. */
  readonly configPath: string | undefined;
  /** Whether it has the old `mirrors`, which rule out a `config_path`. */
  readonly mirrors: 'none' | 'some';
  /** Whether it serves Kubernetes at all. */
  readonly cri: 'on' | 'off';
  /** Whether CRI's pulls go around the transfer service (2.1 and later). */
  readonly pulls: 'local' | 'by-transfer';
}

/**
 * Reads the configuration with what it imports.
 * @returns `undefined` where there is none
 * @throws RegistryError REQUEST_INVALID for a file that does not parse
 */
export async function readContainerd(
  files: ClientFiles,
  file: string = CONFIG,
): Promise<ContainerdConfig | undefined> {
  const parsed = await parsedFiles(files, file);
  return parsed.length === 0 ? undefined : understood(parsed);
}

/** The same of what `containerd config dump` prints. @throws RegistryError REQUEST_INVALID */
export function understandContainerd(text: string): ContainerdConfig {
  return understood([parseToml(text)]);
}

function understood(parsed: readonly Toml[]): ContainerdConfig {
  const last = (...names: readonly string[]): unknown =>
    parsed.map((toml) => at(toml, ...names)).findLast((value) => value !== undefined);
  const version = versionOf(parsed[0] ?? {});
  const registry = REGISTRY[version];
  const images = registry.slice(0, -1);
  const configPath = last(...registry, 'config_path');
  const mirrors = last(...registry, 'mirrors');
  return {
    version,
    configPath: typeof configPath === 'string' ? configPath : undefined,
    mirrors: isRecord(mirrors) && Object.keys(mirrors).length > 0 ? 'some' : 'none',
    cri: parsed.some(disablesCri) ? 'off' : 'on',
    pulls: isLocal((...names) => last(...images, ...names)) ? 'local' : 'by-transfer',
  };
}

/** By the names that it has had; some leave out where a plugin belongs. */
function disablesCri(toml: Toml): boolean {
  const names = new Set(['cri', 'io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images']);
  return textsIn(toml['disabled_plugins']).some((name) => names.has(name));
}

/** What has containerd 2.1 and later pull without the transfer service, as its own start-up decides. */
function isLocal(setting: (...names: readonly string[]) => unknown): boolean {
  const some = (...names: readonly string[]): boolean => {
    const value = setting(...names);
    return isRecord(value) && Object.keys(value).length > 0;
  };
  const downloads = setting('max_concurrent_downloads');
  return (
    setting('use_local_image_pull') === true ||
    setting('disable_snapshot_annotations') === false ||
    setting('discard_unpacked_layers') === true ||
    setting('image_pull_with_sync_fs') === true ||
    (downloads !== undefined && downloads !== 3) ||
    some('registry', 'mirrors') ||
    some('registry', 'configs') ||
    some('registry', 'auths')
  );
}

async function parsedFiles(files: ClientFiles, file: string): Promise<readonly Toml[]> {
  const text = await files.text(file);
  if (text === undefined) return [];
  const main = parsed(file, text);
  const found: Toml[] = [main];
  for (const pattern of textsIn(main['imports'])) {
    for (const name of await matching(
      files,
      path.posix.resolve(path.posix.dirname(file), pattern),
    )) {
      const imported = await files.text(name);
      if (imported !== undefined) found.push(parsed(name, imported));
    }
  }
  return found;
}

/** Files of one folder that fit a pattern whose last part may have stars. */
async function matching(files: ClientFiles, pattern: string): Promise<readonly string[]> {
  const folder = path.posix.dirname(pattern);
  const names = await files.list(folder);
  return names
    .map((name) => path.posix.join(folder, name))
    .filter((name) => path.posix.matchesGlob(name, pattern));
}

function parsed(file: string, text: string): Toml {
  try {
    return parseToml(text);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw new RegistryError('REQUEST_INVALID', `${file}: ${cause.message}`, { cause });
  }
}

function versionOf({ version }: Toml): 1 | 2 | 3 {
  if (version === 2) return 2;
  return typeof version === 'number' && version >= 3 ? 3 : 1;
}

/** The first of the folders that a `config_path` lists. */
export function firstFolder(configPath: string | undefined): string | undefined {
  return configPath?.split(':').find((folder) => path.posix.isAbsolute(folder));
}

/** The lines that have CRI look into the folder, for a configuration of this version. */
export function snippet(config: ContainerdConfig | undefined, folder: string): string {
  const [, plugin = '', registry = ''] = REGISTRY[config?.version ?? 2];
  const head = config === undefined ? 'version = 2\n' : '';
  return `${head}[plugins.${quoted(plugin)}.${registry}]\n  config_path = ${quoted(folder)}\n`;
}

/**
 * The configuration with `config_path` set, and otherwise as it is.
 * @throws RegistryError REQUEST_INVALID for a file that does not parse, UNSUPPORTED for one with the old
 * `mirrors`, which containerd does not start with beside a `config_path`, or that cannot be edited
 */
export function withConfigPath(text: string | undefined, folder: string): string {
  // containerd 2 reads the version that containerd 1 wrote.
  if (text === undefined || text.trim() === '') return snippet(undefined, folder);
  const before = parseToml(text);
  const names = REGISTRY[versionOf(before)];
  const mirrors = at(before, ...names, 'mirrors');
  if (isRecord(mirrors) && Object.keys(mirrors).length > 0) {
    throw new RegistryError(
      'UNSUPPORTED',
      'it has registry.mirrors, and with a config_path beside them containerd does not start: take them out first',
    );
  }
  const expected = withValue(before, [...names, 'config_path'], folder);
  return proven(edited(text, names, folder), expected);
}

function edited(text: string, names: readonly string[], folder: string): string {
  const found = statements(text);
  const header = found.findIndex(
    ({ kind, path }) => kind === 'table' && path.join('\n') === names.join('\n'),
  );
  if (header === -1) {
    const head = text.endsWith('\n') ? text : `${text}\n`;
    const [, plugin = '', registry = ''] = names;
    return `${head}\n[plugins.${quoted(plugin)}.${registry}]\n  config_path = ${quoted(folder)}\n`;
  }
  const next = found.findIndex(({ kind }, index) => index > header && kind !== 'pair');
  const pairs = found.slice(header + 1, next === -1 ? undefined : next);
  const old = pairs.find(({ path }) => path.join('\n') === 'config_path');
  if (old !== undefined) {
    const [from, to] = old.value;
    return `${text.slice(0, from)}${quoted(folder)}${text.slice(to)}`;
  }
  const { start, end } = found[header] ?? { start: 0, end: 0 };
  const indent = /^\s*/.exec(text.slice(start, end))?.[0].replaceAll('\n', '') ?? '';
  const gap = text.slice(0, end).endsWith('\n') ? '' : '\n';
  return `${text.slice(0, end)}${gap}${indent}  config_path = ${quoted(folder)}\n${text.slice(end)}`;
}

/** A copy of the table with a value at the path. */
export function withValue(table: Toml, names: readonly string[], value: unknown): Toml {
  const [name = '', ...rest] = names;
  if (rest.length === 0) return { ...table, [name]: value };
  const inner = table[name];
  return { ...table, [name]: withValue(isRecord(inner) ? inner : {}, rest, value) };
}

import { readFile } from 'node:fs/promises';
import { systemCode } from '../core/errors.ts';
import { FILE_VARIABLE, type Environment } from './environment.ts';
import { ConfigError, formatFault, type Origin } from './fault.ts';
import { load, type Loaded, type Override } from './load.ts';
import { readPem } from './pem.ts';

export interface Request {
  /** What `--config` says. */
  readonly file: string | undefined;
  /** Read when neither `--config` nor `LAYOVER_CONFIG` names a file; need not be there. */
  readonly defaultFile: string;
  readonly environment: Environment;
  readonly overrides: readonly Override[];
}

export interface ReadConfig extends Loaded {
  /** The file that was read; `undefined`: there was none. */
  readonly file: string | undefined;
  /** What was in it. */
  readonly text: string;
}

/** The file that `readConfig` reads, there or not. */
export function fileOf({ file, defaultFile, environment }: Request): string {
  return file ?? (environment[FILE_VARIABLE] || defaultFile);
}

/**
 * Reads the configuration file and makes the configuration of it, the environment and the flags.
 * Where there was something `before`, a file that is gone or empty, as a full disk or an editor in
 * mid-work leave it, is a fault: it must not be taken for "everything has its default".
 * @throws ConfigError with every fault there is, a named file that cannot be read among them
 */
export async function readConfig(
  request: Request,
  before?: Pick<ReadConfig, 'text'>,
): Promise<ReadConfig> {
  const { environment, overrides } = request;
  const name = fileOf(request);
  const text = await textOf(name, originOf(request));
  if (isBlank(text) && !isBlank(before?.text)) throw blank(name, text);
  const source = text === undefined ? undefined : { name, text };
  return {
    ...load({ file: source, environment, overrides }),
    file: source?.name,
    text: source?.text ?? '',
  };
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === '';
}

function blank(file: string, text: string | undefined): ConfigError {
  const message =
    text === undefined
      ? 'there is no such file any more'
      : 'it is empty, which it was not; {} says that everything has its default';
  return new ConfigError([{ origin: { kind: 'default' }, key: file, message }]);
}

/**
 * Every fault of what `readConfig` would read, one a line as people read them; none is an empty list.
 * With `named`, those of the files and variables that it names are told where it has none itself.
 */
export async function checkConfig(
  request: Request,
  named: 'checked' | 'unchecked',
): Promise<readonly string[]> {
  try {
    const read = await readConfig(request);
    if (named === 'checked') await readPem(read, request.environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(formatFault);
    throw error;
  }
}

function originOf({ file, environment }: Request): Origin {
  if (file !== undefined) return { kind: 'flag', flag: '--config' };
  if (environment[FILE_VARIABLE]) return { kind: 'environment', variable: FILE_VARIABLE };
  return { kind: 'default' };
}

async function textOf(name: string, origin: Origin): Promise<string | undefined> {
  try {
    return await readFile(name, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' && origin.kind === 'default') return undefined;
    const message = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    throw new ConfigError([
      origin.kind === 'default'
        ? { origin, key: name, message }
        : { origin, key: '', message: `${name}: ${message}` },
    ]);
  }
}

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { RegistryError, systemCode } from '../core/errors.ts';
import { systemClock, type Clock } from './clock.ts';
import { credentialsOf, foundIn, type Credentials, type CredentialSource } from './credentials.ts';
import { helperServer } from './docker-host.ts';

export interface HelperOptions {
  /** Where programs are looked for, and whatever else the helper needs (`PATH`, `HOME`, `AWS_PROFILE`). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
}

const REMEMBERED = 60_000;
const PATIENCE = 10_000;
const NAME = /^[A-Za-z0-9._-]+$/;

/**
 * Credentials from `docker-credential-<name>` (docker's credential helper protocol: the verb `get`,
 * the server on standard input, JSON on standard output), remembered for a minute. A helper that
 * answers with an error has none for that server.
 * @throws RegistryError UPSTREAM_UNAVAILABLE when the program cannot be run or hangs
 */
export function helperCredentials(name: string, options: HelperOptions): CredentialSource {
  const { environment, clock = systemClock } = options;
  const known = new Map<string, { until: number; answer: Promise<Credentials | undefined> }>();
  return async (registryHost) => {
    const server = helperServer(registryHost);
    const before = known.get(server);
    if (before !== undefined && clock.now() < before.until) return await before.answer;
    const answer = ask(name, server, environment);
    known.set(server, { until: clock.now() + REMEMBERED, answer });
    answer.catch(() => known.delete(server));
    return await answer;
  };
}

async function ask(
  name: string,
  server: string,
  environment: HelperOptions['environment'],
): Promise<Credentials | undefined> {
  const { status, output } = await runHelper(name, 'get', server, environment);
  return status === 0 ? parse(programOf(name), output) : undefined;
}

/** What a helper said; it says what went wrong on standard output, too. */
export interface HelperAnswer {
  readonly status: number;
  readonly output: string;
}

/**
 * Has a helper do one thing (docker's credential helper protocol).
 * @throws RegistryError UPSTREAM_UNAVAILABLE when the program cannot be run or hangs
 */
export async function runHelper(
  name: string,
  verb: 'get' | 'store' | 'erase' | 'list',
  input: string,
  environment: HelperOptions['environment'],
): Promise<HelperAnswer> {
  const program = programOf(name);
  if (!NAME.test(name)) throw unusable(program, 'its name has characters that no helper has');
  const child = spawn(program, [verb], {
    env: { ...environment },
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: AbortSignal.timeout(PATIENCE),
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) => {
      const slow = systemCode(cause) === 'ABORT_ERR';
      const why = slow ? `it did not end within ${PATIENCE / 1000} s` : 'it cannot be run';
      reject(unusable(program, why, cause));
    });
    child.once('close', resolve);
  });
  child.stdin.on('error', () => {}); // A helper need not read; its answer tells what came of it.
  child.stdin.end(input);
  const [status, output] = await Promise.all([ended, text(child.stdout)]);
  if (status === null) throw unusable(program, 'it was killed');
  return { status, output };
}

function programOf(name: string): string {
  return `docker-credential-${name}`;
}

function parse(program: string, output: string): Credentials | undefined {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    // Without a cause: the parser's message quotes what it read, and that is a secret.
    throw unusable(program, 'its answer is not JSON');
  }
  if (typeof value !== 'object' || value === null)
    throw unusable(program, 'its answer is no object');
  const { Username: username, Secret: secret } = {
    Username: undefined,
    Secret: undefined,
    ...value,
  };
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined;
  return foundIn(program, credentialsOf(username, secret));
}

function unusable(program: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'UPSTREAM_UNAVAILABLE',
    `the credential helper ${program} is of no use: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../fixtures/temporary.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  /** The same as bytes. */
  readonly data: Buffer;
  readonly error: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Bytes of the largest file that the process may write, in blocks of 512. */
  readonly blocks?: number;
}

/** Somebody at a shell: an empty folder to work in, a home of their own, and the program itself. */
export interface Session extends AsyncDisposable {
  /** Where commands run. */
  readonly folder: string;
  readonly home: string;
  layover(line: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The same, for who wants to interfere. */
  start(line: readonly string[], options?: RunOptions): { child: ChildProcess; ran: Promise<Ran> };
  /** What lies in the folder, by name. */
  files(): Promise<readonly string[]>;
}

export async function session(): Promise<Session> {
  const place = await temporaryFolder();
  const [folder, home] = [path.join(place.path, 'work'), path.join(place.path, 'home')];
  await mkdir(folder);
  await mkdir(home);
  const start: Session['start'] = (line, { stdin = '', environment = {}, blocks } = {}) => {
    const node = ['--disable-warning=ExperimentalWarning', MAIN, ...line];
    const limit = `ulimit -f ${blocks}; exec "$@"`;
    const command =
      blocks === undefined
        ? [process.execPath, ...node]
        : ['sh', '-c', limit, 'sh', process.execPath, ...node];
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        NODE_COMPILE_CACHE: path.join(home, 'compiled'),
        ...environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    const ran = (async () => {
      const closed = once(child, 'close');
      const [data, error] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
      const [code] = (await closed) as [number | null];
      return { code, data, out: data.toString(), error };
    })();
    return { child, ran };
  };
  return {
    folder,
    home,
    start,
    layover: (line, options) => start(line, options).ran,
    files: async () => (await readdir(folder)).toSorted(),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

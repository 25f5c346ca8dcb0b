import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ClientName } from '../../src/setup/proposal.ts';
import { setUp, undo, type Outcome, type SetupOptions } from '../../src/setup/setup.ts';
import { parseMirror } from '../../src/setup/target.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';

/** A machine's files, in a folder. */
export interface Machine extends AsyncDisposable {
  readonly root: string;
  write(name: string, text: string): Promise<void>;
  text(name: string): Promise<string>;
  /** Every file with its content and mode, by name. */
  files(): Promise<Readonly<Record<string, string>>>;
  setUp(
    client: ClientName,
    mode: 'plan' | 'write',
    options?: Partial<SetupOptions> & { readonly mirror?: string; readonly ca?: string },
  ): Promise<Outcome>;
  undo(client: ClientName, mode: 'plan' | 'write', changes?: 'respect' | 'lose'): Promise<Outcome>;
}

export const UPSTREAMS = [
  { host: 'docker.io', aliases: ['index.docker.io'] },
  { host: 'quay.io', aliases: [] },
  { host: 'registry.lan:5000', aliases: ['lan'] },
];

export async function machine(): Promise<Machine> {
  const folder = await temporaryFolder();
  const root = folder.path;
  const place = (name: string): string => path.join(root, name);
  return {
    root,
    write: async (name, text) => {
      await mkdir(path.dirname(place(name)), { recursive: true });
      await writeFile(place(name), text);
    },
    text: (name) => readFile(place(name), 'utf8'),
    files: async () => {
      const found: Record<string, string> = {};
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
        const full = path.join(entry.parentPath, entry.name);
        const mode = ((await stat(full)).mode & 0o777).toString(8);
        const content = entry.isFile() ? await readFile(full, 'utf8') : '/';
        found[path.relative(root, full)] = `${mode} ${content}`;
      }
      return found;
    },
    setUp: (client, mode, options = {}) => {
      const { mirror = 'http://10.0.0.5:8080', ca, ...rest } = options;
      const target = { mirror: parseMirror(mirror), upstreams: UPSTREAMS, ca };
      return setUp({ client, root, target, ownConfig: 'leave', ...rest }, mode);
    },
    undo: (client, mode, changes = 'respect') => undo({ client, root, changes }, mode),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

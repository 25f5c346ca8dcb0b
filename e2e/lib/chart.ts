import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { attempt, type Finished } from './process.ts';
import type { Scratch } from './scratch.ts';
import type { Present } from './tool.ts';

export const CHART = join(import.meta.dirname, '../../charts/layover');

/** What the chart refuses to be without. */
export const LEAST = { image: { repository: 'registry.example.com/layover' } } as const;

/** An object as it would be applied; its parts are looked up by path. */
export interface KubernetesObject {
  readonly kind: string;
  readonly name: string;
  /** What is there, or `undefined`. Numbers count into lists. */
  readonly at: (...path: readonly (string | number)[]) => unknown;
  readonly whole: Readonly<Record<string, unknown>>;
}

export interface Chart {
  /** Of the release `release` in the namespace `space`. */
  template(values: object, kubernetes?: string): Promise<Finished>;
  lint(values: object): Promise<Finished>;
  /** What is told whoever has installed it. */
  notes(values: object): Promise<string>;
}

export function chart(tool: Present, scratch: Scratch): Chart {
  const [command, ...first] = tool.command('helm', scratch.path);
  const env = { HOME: scratch.path, XDG_CACHE_HOME: scratch.path, XDG_CONFIG_HOME: scratch.path };
  let files = 0;
  const helm = async (values: object, ...args: string[]): Promise<Finished> =>
    under('1.35.0', values, ...args);
  const under = async (version: string, values: object, ...args: string[]): Promise<Finished> => {
    files += 1;
    const file = scratch.at(`values-${files}.yaml`);
    await writeFile(file, JSON.stringify({ ...LEAST, ...values }));
    return attempt(command, [...first, ...args, '--values', file, '--kube-version', version], {
      env,
    });
  };
  return {
    template: (values, version = '1.35.0') =>
      under(version, values, 'template', 'release', CHART, '--namespace', 'space'),
    lint: (values) => helm(values, 'lint', '--strict', CHART),
    notes: async (values) => {
      // Only an installation would print them.
      const copy = scratch.at('chart-with-notes');
      await cp(CHART, copy, { recursive: true });
      const notes = await readFile(join(copy, 'templates/NOTES.txt'), 'utf8');
      const shown = `{{ define "notes" }}${notes}{{ end }}\nnotes: {{ include "notes" . | quote }}\n`;
      await writeFile(join(copy, 'templates/notes.yaml'), shown);
      const only = ['--show-only', 'templates/notes.yaml'];
      const { stdout, stderr } = await helm(values, 'template', 'release', copy, ...only);
      const [found] = objectsIn(stdout);
      return found === undefined ? stderr : String(found.whole['notes']);
    },
  };
}

export function objectsIn(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (!('toJS' in document)) return [];
    const whole = document.toJS() as Record<string, unknown> | null;
    if (whole === null) return [];
    const at: KubernetesObject['at'] = (...path) => lookUp(whole, path);
    return [{ kind: String(whole['kind']), name: String(at('metadata', 'name')), at, whole }];
  });
}

function lookUp(value: unknown, path: readonly (string | number)[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Readonly<Record<string | number, unknown>>)[part];
  }
  return found;
}

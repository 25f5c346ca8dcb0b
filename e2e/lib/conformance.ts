import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { attempt } from './process.ts';
import type { Present } from './tool.ts';

export interface Verdict {
  readonly code: number | null;
  /** Assertions; `disabled` ones are of what a version of the specification does not have. */
  readonly total: number;
  readonly failed: number;
  readonly skipped: number;
  readonly disabled: number;
  /** `Pass`, `Skip`, `FAIL` or `Disabled`, by what the suite calls an API or a set of data. */
  readonly statuses: Readonly<Record<string, string>>;
  /** What it printed, for a reader of a failed test. */
  readonly report: string;
}

export interface Conformance {
  readonly tool: Present;
  /** `http://host:port` */
  readonly registry: string;
  /** An empty or absent folder for the report. */
  readonly folder: string;
  /** The suite's own settings. */
  readonly env: Readonly<Record<string, string>>;
}

const SUITES = /<testsuites ([^>]*)>/;

/**
 * One run of the distribution specification's conformance suite. Its exit code alone proves nothing:
 * it is 0 as well when the suite could not start, so the reports have to be there.
 * @throws Error without them
 */
export async function conformance(options: Conformance): Promise<Verdict> {
  const { tool, registry, folder, env } = options;
  const [command, ...first] = tool.command('conformance', folder);
  const done = await attempt(command, first, {
    env: {
      OCI_REGISTRY: new URL(registry).host,
      OCI_TLS: 'disabled',
      OCI_REPO1: 'conformance/repo1',
      OCI_REPO2: 'conformance/repo2',
      OCI_RESULTS_DIR: folder,
      ...env,
    },
  });
  const results: { apis: Record<string, string>; data: Record<string, string> } = parse(
    await readFile(join(folder, 'results.yaml'), 'utf8'),
  );
  const suites = (await readFile(join(folder, 'junit.xml'), 'utf8')).match(SUITES)?.[1];
  // What there is none of is left out.
  const count = (name: string): number => Number(suites?.match(`${name}="(\\d+)"`)?.[1] ?? 0);
  return {
    code: done.code,
    total: count('tests'),
    failed: count('failures') + count('errors'),
    skipped: count('skipped'),
    disabled: count('disabled'),
    statuses: { ...results.apis, ...results.data },
    report: done.stdout + done.stderr,
  };
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { attempt } from './process.ts';
import type { Present } from './tool.ts';

export interface Verdict {
  readonly code: number | null;
  /** Assertions; those that the suite itself leaves out are among the skipped. */
  readonly total: number;
  readonly failed: number;
  readonly skipped: number;
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

const COUNTS = /<testsuites [^>]*tests="(\d+)" failures="(\d+)" skipped="(\d+)"/;

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
  const counts = (await readFile(join(folder, 'junit.xml'), 'utf8')).match(COUNTS);
  if (counts === null) throw new Error('junit.xml tells no counts');
  const [total, failed, skipped] = counts.slice(1).map(Number);
  return {
    code: done.code,
    total: total ?? 0,
    failed: failed ?? 0,
    skipped: skipped ?? 0,
    statuses: { ...results.apis, ...results.data },
    report: done.stdout + done.stderr,
  };
}

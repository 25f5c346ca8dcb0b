import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { conformance } from './lib/conformance.ts';
import { hosting } from './lib/hosting.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';

const PAGE = join(import.meta.dirname, '../docs/conformance.md');

/** What is run and against what, by the name of its row in docs/conformance.md. */
const RUNS: Readonly<Record<string, { readonly env: Record<string, string>; config: object }>> = {
  '1.1': { env: { OCI_VERSION: '1.1' }, config: {} },
  strict: { env: { OCI_VERSION: '1.1' }, config: { uploads: { sparse: 'none' } } },
  dev: {
    env: { OCI_VERSION: 'dev', OCI_DATA_SPARSE: 'true' },
    config: { uploads: { sparse: 'all' } },
  },
};

/** What the page states: `| dev | 1032 | 0 | 0 | 0 |`. */
async function stated(run: string): Promise<object> {
  const page = await readFile(PAGE, 'utf8');
  const cells = String.raw`(\d+) +\| *`.repeat(4);
  const row = RegExp(String.raw`^\| ${run} +\| +${cells}`, 'm');
  const [total, failed, skipped, disabled] = (row.exec(page) ?? []).slice(1).map(Number);
  return { total, failed, skipped, disabled };
}

for (const tool of await tools('conformance')) {
  const skip = tool.missing ?? false;
  for (const [run, { env, config }] of Object.entries(RUNS)) {
    test(`the conformance suite, ${run}: nothing fails`, { skip }, async () => {
      assert.ok(tool.missing === undefined);
      await using folder = await scratch();
      await using registry = await hosting(folder, { config: { ...config } });
      const verdict = await conformance({
        tool,
        registry: registry.url,
        folder: folder.at('report'),
        env,
      });
      const { statuses, report, ...counts } = verdict;
      const wrong = Object.entries(statuses).filter(
        ([, status]) => status !== 'Pass' && status !== 'Disabled',
      );
      assert.deepEqual(wrong, [], report);
      assert.deepEqual(counts, { code: 0, ...(await stated(run)) }, report);
    });
  }

  test('the conformance suite finds fault with a registry that has faults', { skip }, async () => {
    assert.ok(tool.missing === undefined);
    await using folder = await scratch();
    await using registry = await dockerRegistry(folder, { name: 'registry' });
    const { code, failed } = await conformance({
      tool,
      registry: registry.url,
      folder: folder.at('report'),
      env: { OCI_VERSION: '1.1' },
    });
    assert.notEqual(code, 0);
    assert.ok(failed > 0);
  });
}

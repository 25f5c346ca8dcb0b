import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { conformance, type Verdict } from './lib/conformance.ts';
import { hosting } from './lib/hosting.ts';
import { dockerRegistry } from './lib/registry.ts';
import { scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';

const PAGE = join(import.meta.dirname, '../docs/conformance.md');

/** The suite as it stands, by the name of its row in docs/conformance.md. */
const RUNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '1.1': { OCI_VERSION: '1.1' },
  dev: { OCI_VERSION: 'dev', OCI_DATA_SPARSE: 'true' },
};

/** The assertions and skips that the page states: `| 1.1 | 848 | 0 | 2 |`. */
async function stated(run: string): Promise<Pick<Verdict, 'total' | 'failed' | 'skipped'>> {
  const page = await readFile(PAGE, 'utf8');
  const [, ...cells] =
    page.match(RegExp(`^\\| \`?${run}\`? \\| (\\d+) \\| (\\d+) \\| (\\d+) \\|`, 'm')) ?? [];
  const [total, failed, skipped] = cells.map(Number);
  assert.ok(total !== undefined && failed !== undefined && skipped !== undefined, `no row ${run}`);
  return { total, failed, skipped };
}

for (const tool of await tools('conformance')) {
  const skip = tool.missing ?? false;
  for (const [run, env] of Object.entries(RUNS)) {
    test(`the conformance suite, ${run}: nothing fails`, { skip }, async () => {
      assert.ok(tool.missing === undefined);
      await using folder = await scratch();
      await using registry = await hosting(folder);
      const verdict = await conformance({
        tool,
        registry: registry.url,
        folder: folder.at('report'),
        env,
      });
      const { code, total, failed, skipped, statuses, report } = verdict;
      const wrong = Object.entries(statuses).filter(
        ([, status]) => !/^(Pass|Skip|Disabled)$/.test(status),
      );
      assert.deepEqual(wrong, [], report);
      assert.deepEqual(
        { code, total, failed, skipped },
        { code: 0, ...(await stated(run)) },
        report,
      );
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

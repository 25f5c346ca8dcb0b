import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { attempt } from './lib/process.ts';

const ROOT = join(import.meta.dirname, '..');

suite('the rules of the chart, to Prometheus itself', () => {
  test('promtool has nothing to say against them', async () => {
    const rules = join(ROOT, 'charts/layover/files/rules.yaml');
    const done = await attempt('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', rules]);
    assert.equal(done.code, 0, done.stdout + done.stderr);
  });

  test('each fires when it should and not otherwise, and the sums are right', async () => {
    const tests = join(ROOT, 'test/charts/rules.promtool.yaml');
    const done = await attempt('promtool', ['test', 'rules', tests]);
    assert.equal(done.code, 0, done.stdout + done.stderr);
    assert.match(done.stdout, /SUCCESS/);
  });
});

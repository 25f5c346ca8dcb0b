import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRegistry, type Registry } from '../fixtures/registry.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { afterEverything } from './every-event.ts';
import { exposedIn, type Exposed } from './exposition.ts';
import { dashboard, groupedIn, queries, rules, selectorsIn } from './queries.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/layover', import.meta.url));

/** What Prometheus puts beside a server's own labels; `le` is a histogram's. */
const TARGET = new Set(['job', 'instance', 'namespace', 'le']);
/** Of Prometheus itself. */
const ITS_OWN = new Set(['up']);
/** What has a name on the page from the start, and a sample only on days that no test should have. */
const RARE = new Set([
  'layover_upstream_circuit_open',
  // Of a server with TLS.
  'layover_tls_certificate_expiry_timestamp_seconds',
  'layover_tls_certificate_not_before_timestamp_seconds',
]);

/** Has a real server go through the better part of what there is to count; what it tells then. */
async function servedFor(): Promise<string> {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry();
  const budget = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' };
  registry.misbehave({ path: /\/manifests\// }, { kind: 'headers', set: budget });
  const config = path.join(folder.path, 'layover.yaml');
  await writeFile(
    config,
    JSON.stringify({
      listen: '127.0.0.1:0',
      admin: { listen: '127.0.0.1:0' },
      storage: { path: path.join(folder.path, 'data'), maxSize: '3MB', minFree: 0 },
      tags: { freshFor: 0 },
      upstreams: { 'docker.io': { url: registry.url } },
    }),
  );
  const child = spawn(LAUNCHER, ['serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = `http://127.0.0.1:${await portOf(child)}`;
    await traffic(url, registry);
    return await (await fetch(`${url}/metrics`)).text();
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, port } = JSON.parse(line) as { msg: string; port: number };
    if (msg !== 'serving') continue;
    child.stdout.resume();
    return port;
  }
  return assert.fail('it ended');
}

async function traffic(url: string, registry: Registry): Promise<void> {
  const get = (at: string): Promise<unknown> =>
    fetch(`${url}/v2/library/x/${at}`).then(
      (answer) => answer.arrayBuffer().catch(() => 'cut'),
      () => 'cut',
    );
  registry.addImage('library/x', 'v1');
  for (const at of ['v1', 'v1', 'absent']) await get(`manifests/${at}`);
  // More than fits, so that something leaves; one that never fits.
  for (const seed of [1, 2, 3, 4]) {
    const digest = registry.addBlob({ size: 1_200_000, seed }, 'library/x');
    await Promise.all([get(`blobs/${digest}`), get(`blobs/${digest}`)]);
  }
  await get(`blobs/${registry.addBlob({ size: 4_000_000, seed: 5 }, 'library/x')}`);
  const cut = registry.addBlob({ size: 600_000, seed: 6 }, 'library/x');
  registry.misbehave({ path: new RegExp(cut), times: 1 }, { kind: 'cut', at: 300_000 });
  await get(`blobs/${cut}`);
  const wrong = registry.addBlob({ size: 600_000, seed: 7 }, 'library/x');
  registry.misbehave({ method: 'GET', path: new RegExp(wrong) }, { kind: 'flip', at: 9 });
  await get(`blobs/${wrong}`);
  registry.addImage('library/x', 'v2');
  registry.misbehave({ path: /\/manifests\/v2/, times: 1 }, { kind: 'reset' });
  await get('manifests/v2');
  registry.misbehave({ path: /\/manifests\/v3/ }, { kind: 'status', status: 429 });
  await get('manifests/v3');
}

suite('dashboard and rules', () => {
  let possible: ReadonlyMap<string, Exposed>;
  let real: ReadonlyMap<string, Exposed>;
  const recorded = new Map(rules().map(({ record, expr }) => [record ?? '', expr]));
  before(async () => {
    possible = exposedIn(await afterEverything());
    real = exposedIn(await servedFor());
  });

  test('what the server tells is what it can tell', () => {
    assert.deepEqual([...real.keys()].toSorted(), [...possible.keys()].toSorted());
    for (const [name, { labels, samples }] of real) {
      if (samples === 0 || !name.startsWith('layover_')) continue;
      const can = possible.get(name)?.labels;
      assert.deepEqual([...labels.keys()].toSorted(), [...(can?.keys() ?? [])].toSorted(), name);
    }
  });

  test('every metric that is read exists, on a server that has something to tell of it', () => {
    for (const { where, text } of queries()) {
      for (const { metric } of selectorsIn(text)) {
        if (ITS_OWN.has(metric) || recorded.has(metric)) continue;
        assert.ok(real.has(metric), `${where} reads ${metric}, which there is not`);
        const { samples = 0 } = real.get(metric) ?? {};
        const rare = RARE.has(metric) || metric.startsWith('layover_prefetch_');
        assert.ok(samples > 0 || rare, `${where} reads ${metric}, of which nothing is told`);
      }
    }
  });

  /** The labels with which a metric or a recorded one comes. */
  const labelsOf = (metric: string): ReadonlySet<string> => {
    const expr = recorded.get(metric);
    if (expr !== undefined) return new Set(groupedIn(expr));
    return new Set([...(possible.get(metric)?.labels.keys() ?? []), ...TARGET]);
  };

  test('every label that is asked for exists, with the values that are asked for', () => {
    for (const { where, text } of queries()) {
      for (const { metric, matchers } of selectorsIn(text)) {
        for (const { label, operator, value } of matchers) {
          assert.ok(labelsOf(metric).has(label), `${where}: ${metric} has no label ${label}`);
          const values = possible.get(metric)?.labels.get(label);
          // Variables of the dashboard, and codes, of which there are many.
          if (values === undefined || value.startsWith('$') || label === 'code') continue;
          const wanted = operator.includes('~') ? value.split('|') : [value];
          for (const one of wanted) {
            assert.ok(values.has(one), `${where}: ${metric}{${label}} is never ${one}`);
          }
        }
      }
    }
  });

  test('what is grouped by, and printed, is there to be grouped by', () => {
    for (const { where, text, printed } of queries()) {
      const read = selectorsIn(text);
      const [grouped, labels] = [groupedIn(text), read.map(({ metric }) => labelsOf(metric))];
      for (const label of grouped) {
        if (TARGET.has(label)) continue;
        assert.ok(
          labels.some((has) => has.has(label)),
          `${where}: nothing has the label ${label}`,
        );
      }
      const left = grouped.length > 0 ? new Set(grouped) : (labels[0] ?? new Set());
      for (const label of printed) {
        assert.ok(left.has(label), `${where}: prints ${label}, which is summed away`);
      }
    }
  });

  test('everything that the server tells of itself is shown or watched', () => {
    const read = new Set(
      queries().flatMap(({ text }) => selectorsIn(text).map(({ metric }) => base(metric))),
    );
    // It is of use where `remaining` is, for those who reckon with it.
    const unread = new Set(['layover_upstream_ratelimit_window_seconds']);
    // Age is in "Answering"; when is for the curious.
    unread.add('layover_upstream_last_success_timestamp_seconds');
    unread.add('layover_config_last_reload_success_timestamp_seconds');
    for (const name of possible.keys()) {
      if (!name.startsWith('layover_')) continue;
      assert.ok(read.has(base(name)) !== unread.has(base(name)), name);
    }
  });

  test('a query is made of metrics that the test sees', () => {
    for (const { where, text } of queries()) {
      const braces = text.match(/\{/g)?.length ?? 0;
      const seen = selectorsIn(text);
      assert.ok(seen.length > 0, where);
      assert.ok(braces <= seen.length, `${where}: a selector without a metric's name`);
    }
  });
});

/** Without what a histogram's samples have at the end. */
function base(metric: string): string {
  return metric.replace(/(?<=_seconds)_(bucket|sum|count)$/, '');
}

suite('rules', () => {
  test('each alert has a severity and says what it saw, and a test of promtool', async () => {
    const tests = await readFile(new URL('rules.promtool.yaml', import.meta.url), 'utf8');
    for (const { alert, record, labels, annotations } of rules()) {
      assert.ok(tests.includes(alert === undefined ? `expr: ` : `alertname="${alert}"`), alert);
      if (alert === undefined) {
        assert.ok(tests.includes(record ?? ''), record);
        continue;
      }
      assert.match(alert, /^Layover[A-Z]/);
      assert.match(labels?.['severity'] ?? '', /^(critical|warning)$/, alert);
      assert.match(annotations?.['summary'] ?? '', /\.$/, alert);
    }
  });

  test('docs/operations.md says of each alert, under its own heading, what it means', async () => {
    const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const headings = [...text.matchAll(/^### (Layover\w+)$/gm)].map(([, name = '']) => name);
    const alerts = rules().flatMap(({ alert }) => alert ?? []);
    assert.deepEqual(headings.toSorted(), alerts.toSorted());
    for (const alert of alerts) {
      const [, below = ''] = text.split(`### ${alert}\n`);
      assert.ok((below.split('\n#')[0] ?? '').trim().length > 80, `${alert} is not explained`);
    }
  });
});

suite('the dashboard', () => {
  test('can be imported anywhere, and its panels lie side by side', () => {
    const { panels } = dashboard();
    const ids = new Set(panels.map(({ id }) => id));
    assert.equal(ids.size, panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.ok(x < 24 && !taken.has(`${x},${y}`), `${title} lies on another one`);
          taken.add(`${x},${y}`);
        }
      }
    }
    for (const { title, type, targets = [] } of panels) {
      assert.ok(type === 'row' || targets.length > 0, title);
      for (const target of targets) {
        assert.deepEqual(Reflect.get(target, 'datasource'), {
          type: 'prometheus',
          uid: '${datasource}',
        });
      }
    }
  });
});

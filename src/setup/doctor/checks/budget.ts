import type { Finding, Report } from '../check.ts';

/** The share of a budget below which it is told. */
const LOW = 0.15;

/** What the mirror has counted, as it tells Prometheus: how it gets on with its upstreams. */
export function budget(metrics: string): Report {
  const limits = values(metrics, 'layover_upstream_ratelimit_limit');
  const findings: Finding[] = [];
  const told: string[] = [];
  for (const [upstream, left] of values(metrics, 'layover_upstream_ratelimit_remaining')) {
    const limit = limits.get(upstream) ?? 0;
    told.push(`${upstream} ${left} of ${limit}`);
    if (left > limit * LOW) continue;
    findings.push({
      code: 'rate-limit',
      severity: left > 0 ? 'warning' : 'fault',
      saw: `${upstream} allows ${left} more pulls of ${limit}, when it was last asked`,
      means:
        left > 0
          ? 'soon only what is cached can be pulled'
          : 'only what is cached can be pulled until the window is over',
      mend: `set upstreams.${upstream}.credentials in the mirror's configuration: accounts have larger budgets`,
    });
  }
  const looked = `pulls that upstreams allow: ${told.length === 0 ? 'none states a limit' : told.join(', ')}`;
  return { looked, findings: [...findings, ...shut(metrics)] };
}

/** Upstreams that the mirror leaves alone for a while, since they did not answer. */
function shut(metrics: string): readonly Finding[] {
  return [...values(metrics, 'layover_upstream_circuit_open')]
    .filter(([, open]) => open === 1)
    .map(([upstream]) => ({
      code: 'upstream-shut',
      severity: 'fault',
      saw: `the mirror leaves ${upstream} alone for a while, after several failures`,
      means: 'what is cached of it is served, the rest is not',
      mend: "layover doctor --config FILE   # on the mirror's machine: it asks the upstream itself",
    }));
}

/** The values of a metric by upstream. */
function values(metrics: string, name: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of metrics.split('\n')) {
    if (!line.startsWith(`${name}{`)) continue;
    const [, upstream = '', value = ''] = /upstream="([^"]*)".*\} (\S+)/.exec(line) ?? [];
    found.set(upstream, Number(value));
  }
  return found;
}

import { Counter, Gauge, type Registry } from 'prom-client';

/** What became of reading the configuration again. */
export type ReloadOutcome =
  /** It is in effect, but for so many keys that need a restart. */
  | { readonly result: 'success'; readonly needRestart: number }
  /** It has faults: the one before is still in effect. */
  | { readonly result: 'failure' };

/** The configuration: whether the one in effect is the one that was written. */
export function configMetrics(registry: Registry): (outcome: ReloadOutcome) => void {
  const registers = [registry];
  const reloads = new Counter({
    name: 'layover_config_reloads_total',
    help: 'Times that the configuration was read again, by what became of it.',
    labelNames: ['result'],
    registers,
  });
  const successful = new Gauge({
    name: 'layover_config_last_reload_successful',
    help: 'Whether the configuration, as it was read last, is in effect.',
    registers,
  });
  const since = new Gauge({
    name: 'layover_config_last_reload_success_timestamp_seconds',
    help: 'When the configuration that is in effect was read.',
    registers,
  });
  const waiting = new Gauge({
    name: 'layover_config_keys_awaiting_restart',
    help: 'Keys that have been changed and that only a restart puts into effect.',
    registers,
  });
  for (const result of ['success', 'failure'] as const) reloads.inc({ result }, 0);
  successful.set(1);
  since.set(Date.now() / 1000);
  waiting.set(0);
  return (outcome) => {
    reloads.inc({ result: outcome.result });
    successful.set(outcome.result === 'success' ? 1 : 0);
    if (outcome.result === 'failure') return;
    since.set(Date.now() / 1000);
    waiting.set(outcome.needRestart);
  };
}

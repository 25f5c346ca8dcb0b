import type { Logger } from 'pino';
import type { Metrics } from '../http/metrics.ts';
import type { ReloadEvent } from './reloads.ts';

/** Tells the log and the metrics what became of reading the configuration again. */
export function reloadLog(
  logger: Logger,
  metrics: Pick<Metrics, 'reloaded'>,
): (event: ReloadEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'reloaded': {
        const { cause, changed, renewed, needRestart } = event;
        metrics.reloaded({ result: 'success', needRestart: needRestart.length });
        const level = needRestart.length > 0 ? 'warn' : 'info';
        logger[level]({ cause, changed, renewed, needRestart }, 'configuration reloaded');
        return;
      }
      case 'refused': {
        const { cause, faults } = event;
        metrics.reloaded({ result: 'failure' });
        logger.error({ cause, faults }, 'configuration not reloaded: the one before stays');
      }
    }
  };
}

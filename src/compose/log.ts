import { destination, pino, type Logger } from 'pino';
import type { LogLevel } from '../config/config.ts';
import type { RequestRecord } from '../http/observe.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import type { UpstreamEvent } from '../upstream/event.ts';

export interface Log {
  readonly logger: Logger;
  request(record: RequestRecord): void;
  mirror(event: MirrorEvent): void;
  upstream(event: UpstreamEvent): void;
  /** Writes out what is still held back. */
  flush(): void;
}

/** Bytes gathered for one write, and the milliseconds after which fewer are written, too. */
const GATHERED = 8192;
const HELD_BACK = 500;

/** JSON lines on standard output. Secrets cannot get in: no headers and no queries are handed here. */
export function openLog(level: LogLevel): Log {
  const out = destination({ dest: 1, sync: false, minLength: GATHERED, periodicFlush: HELD_BACK });
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, out);
  return {
    logger,
    request: (record) => {
      const { failure, ...rest } = record;
      const told = failure && { code: failure.code, error: failure.message };
      const cause = failure?.cause === undefined ? {} : { err: failure.cause };
      const level = record.status >= 500 ? 'error' : record.route === 'probe' ? 'debug' : 'info';
      logger[level]({ ...rest, ...told, ...cause }, 'request');
    },
    mirror: (event) => logMirror(logger, event),
    upstream: (event) => logUpstream(logger, event),
    flush: () => out.flushSync(),
  };
}

function logMirror(logger: Logger, event: MirrorEvent): void {
  switch (event.type) {
    case 'download-started':
    case 'download-joined':
    case 'revalidated':
      logger.debug(event, event.type);
      return;
    case 'download-resumed':
      logger.info(event, event.type);
      return;
    case 'download-ended': {
      const { error, ...rest } = event;
      const level = event.result === 'stored' || event.result === 'abandoned' ? 'info' : 'warn';
      logger[level]({ ...rest, ...(error && { error: error.message }) }, event.type);
      return;
    }
    case 'storage-error': {
      const { error, ...rest } = event;
      logger.error({ ...rest, error: error.message }, event.type);
      return;
    }
    case 'damaged':
      logger.error(event, 'stored content was wrong and has been set aside');
  }
}

function logUpstream(logger: Logger, event: UpstreamEvent): void {
  switch (event.type) {
    case 'request':
    case 'budget':
      logger.debug(event, `upstream ${event.type}`);
      return;
    case 'received':
    case 'load':
      logger.trace(event, `upstream ${event.type}`);
      return;
    case 'token':
      logger[event.result === 'ok' ? 'debug' : 'warn'](event, 'upstream token');
      return;
    case 'retry':
      logger.info(event, 'upstream retry');
      return;
    case 'circuit':
    case 'rate-limited':
      logger.warn(event, `upstream ${event.type}`);
  }
}

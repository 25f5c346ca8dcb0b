import { pino, type Logger } from 'pino';
import type { LogLevel } from '../config/config.ts';
import { formatReference } from '../core/reference.ts';
import type { Failure, RequestRecord } from '../http/observe.ts';
import type { UpkeepEvent } from '../hosted/upkeep.ts';
import type { MirrorEvent } from '../mirror/event.ts';
import type { HousekeepingEvent } from '../store/budget/event.ts';
import type { UpstreamEvent } from '../upstream/event.ts';
import { housekeepingLog } from './housekeeping-log.ts';
import { Lines } from './lines.ts';

export interface Log extends AsyncDisposable {
  readonly logger: Logger;
  /** Writes lines from this level on. */
  level(level: LogLevel): void;
  request(record: RequestRecord): void;
  mirror(event: MirrorEvent): void;
  upstream(event: UpstreamEvent): void;
  housekeeping(event: HousekeepingEvent): void;
  hosted(event: UpkeepEvent): void;
  /** Has what is held back written now, without waiting for that. */
  flush(): void;
}

/** JSON lines on standard output. Secrets cannot get in: no headers and no queries are handed here. */
export function openLog(level: LogLevel): Log {
  const time = isoTime();
  const lost = (count: number): string =>
    `{"level":"warn"${time()},"lines":${count},"msg":"log lines were lost: what reads them is too slow, or cannot store them"}\n`;
  const out = new Lines({ to: 1, lost });
  const base = { level, base: null, timestamp: time };
  const logger = pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, out);
  return {
    logger,
    level: (level) => {
      logger.level = level;
    },
    request: (record) => {
      const { failure, status, route } = record;
      const level = status >= 500 ? 'error' : route === 'probe' ? 'debug' : 'info';
      if (failure !== undefined) logger[level](failed(record, failure), 'request');
      else if (logger.isLevelEnabled(level)) out.write(requestLine(level, time(), record));
    },
    mirror: (event) => logMirror(logger, event),
    upstream: (event) => logUpstream(logger, event),
    housekeeping: housekeepingLog(logger),
    hosted: (event) => logHosted(logger, event),
    flush: () => out.flush(),
    [Symbol.asyncDispose]: () => out[Symbol.asyncDispose](),
  };
}

/** What pino would write of a flat record without errors in it, in a quarter of the time. */
function requestLine(level: string, time: string, record: RequestRecord): string {
  return `{"level":"${level}"${time},${JSON.stringify(record).slice(1, -1)},"msg":"request"}\n`;
}

/** The time as pino wants it, written once a millisecond: under load many lines share one. */
function isoTime(): () => string {
  let [at, text] = [0, ''];
  return () => {
    const now = Date.now();
    if (now !== at) [at, text] = [now, `,"time":"${new Date(now).toISOString()}"`];
    return text;
  };
}

function failed(
  { failure: _told, ...rest }: RequestRecord,
  { code, message, cause }: Failure,
): object {
  return { ...rest, code, error: message, ...(cause !== undefined && { err: cause }) };
}

function logMirror(logger: Logger, event: MirrorEvent): void {
  switch (event.type) {
    case 'download-readers':
    case 'storage-operation':
      logger.trace(event, event.type);
      return;
    case 'download-started':
    case 'download-joined':
    case 'revalidated':
      logger.debug(event, event.type);
      return;
    case 'download-resumed':
      logger.info(event, event.type);
      return;
    case 'tag-moved': {
      const { repository, tag, digest } = event;
      logger.info({ image: formatReference(repository, tag), digest }, event.type);
      return;
    }
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

function logHosted(logger: Logger, event: UpkeepEvent): void {
  switch (event.type) {
    case 'collected': {
      const { collection, seconds } = event;
      logger.info({ ...collection, seconds }, 'garbage collected');
      return;
    }
    case 'expired':
      logger.info({ uploads: event.uploads }, 'unfinished uploads thrown away');
      return;
    case 'failed': {
      const { operation, error } = event;
      logger.error({ operation, error: error.message }, 'looking after hosted repositories failed');
    }
  }
}

import { getRequestListener } from '@hono/node-server';
import { RegistryError } from '../core/errors.ts';
import { Pulse } from '../core/pulse.ts';
import { Roster } from '../core/roster.ts';
import { cameThrough, isCircle, namesInVia } from '../core/via.ts';
import { forsake } from './body.ts';
import { answerDistribution, type DistributionOptions } from './distribution.ts';
import { fail, type ErrorOptions } from './errors.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import type { Incoming, Outgoing } from './messages.ts';
import { notAllowed } from './methods.ts';
import { parseTarget, splitTarget, type Target } from './name.ts';
import type { Observer, RequestRecord } from './observe.ts';
import { Patience } from './patience.ts';
import { createPages, errorPage, PROBES, type PagesOptions } from './pages.ts';
import { Probes } from './probes.ts';
import { Turn } from './turn.ts';

/** What a request is answered by. */
export interface Serving extends DistributionOptions, ErrorOptions {}

export interface AppOptions extends PagesOptions {
  /** Asked once a request, which goes by it to its end. */
  readonly serving: () => Serving;
  /** Runs the work of answering a request, in whatever it is to be seen as a part of. */
  readonly within?: <T>(work: () => T) => T;
  readonly metrics: PagesOptions['metrics'] & Observer;
  /** The name that upstreams are told in `Via`: a request that comes with it leads in a circle. */
  readonly via?: string;
  /** Milliseconds after which a client that waits for content is told that it has not come; 27 s if left out. */
  readonly patience?: number;
  /** Given one record a request, when it is over. */
  readonly log: (record: RequestRecord) => void;
}

/** What a server hands its requests to. */
export interface App {
  handle(incoming: Incoming, outgoing: Outgoing): void;
  /** Is told of what was refused before it became a request. */
  refused(record: RequestRecord): void;
  /** Makes `/readyz` say that the end is near. */
  drain(): void;
  /** Breaks off every answer that is not through; tells how many. */
  cut(): number;
}

/** The app of a mirror. */
export interface MirrorApp extends App {
  /** Settles once every request that is being answered now has been. */
  passed(): Promise<void>;
}

/**
 * The HTTP face. The distribution API answers through Node's own response: its bodies are written
 * from reused buffers, its grammar reads from the right, and `..` has to be seen to be refused.
 * Pages are hono's.
 */
export function createApp(options: AppOptions): MirrorApp {
  let draining = false;
  const exchanges = new Roster<Exchange>();
  const ended = new Pulse();
  const ready = async (): Promise<string | undefined> =>
    draining ? 'shutting down' : options.ready();
  const probes = new Probes();
  const pages = createPages({ ...options, ready, probes });
  const { metrics, log, within = (work) => work() } = options;
  const part: ExchangeOptions = {
    turn: new Turn(),
    sent: (exchange, bytes) => metrics.sent(exchange, bytes),
    ended: (exchange, record) => {
      metrics.ended(exchange, record);
      log(record);
      forsake(exchange.incoming);
    },
  };

  const patience = new Patience({
    exchanges,
    longest: options.patience,
    onLate: (exchange, error) => fail(exchange, error, options.serving()),
  });

  const answerPage = (exchange: Exchange): void => {
    const fetch = (request: Request) => pages.fetch(request, { exchange });
    const listener = getRequestListener(fetch, {
      overrideGlobalObjects: false,
      // What it makes no request of, such as a backslash in the path, never comes to the pages.
      errorHandler: () => errorPage(new RegistryError('REQUEST_INVALID'), exchange),
    });
    void listener(exchange.incoming, exchange.outgoing);
  };

  const handle = (incoming: Incoming, outgoing: Outgoing): void => {
    const url = incoming.url ?? '/';
    const { path } = splitTarget(url);
    const exchange = new Exchange(incoming, outgoing, path, part);
    const place = exchanges.enter(exchange);
    outgoing.on('close', () => {
      exchanges.leave(place);
      ended.give();
    });
    patience.watch();
    const serving = options.serving();
    let target: Target | undefined;
    try {
      refuseAmbiguous(incoming);
      if (incoming.method === 'CONNECT') throw notAllowed('CONNECT', ['GET', 'HEAD']);
      if (!path.startsWith('/'))
        throw new RegistryError('REQUEST_INVALID', 'the target is no path');
      target = parseTarget(url);
    } catch (error) {
      if ('shouldKeepAlive' in outgoing) outgoing.shouldKeepAlive = false;
      metrics.started(exchange);
      fail(exchange, error, serving);
      return;
    }
    if (target === undefined) {
      exchange.route = PROBES.has(path) ? 'probe' : 'page';
      metrics.started(exchange);
      answerPage(exchange);
      return;
    }
    exchange.route = target.endpoint.type === 'upload' ? 'uploads' : target.endpoint.type;
    metrics.started(exchange);
    try {
      probes.refuse(exchange, target, serving.router);
    } catch (error) {
      fail(exchange, error, serving);
      return;
    }
    within(() => answerFollowing(exchange, target, serving, options.via)).catch((error: unknown) =>
      fail(exchange, error, serving),
    );
  };

  return {
    handle,
    refused: (record) => {
      const { route, failure } = record;
      const running = { route, failure, kind: undefined, repository: undefined, served: undefined };
      metrics.started(running);
      metrics.ended(running, record);
      log(record);
    },
    drain: () => {
      draining = true;
    },
    passed: async () => {
      const running = [...exchanges];
      while (running.some((exchange) => !exchange.closed)) await ended.wait();
    },
    cut: () => {
      patience[Symbol.dispose]();
      const { size } = exchanges;
      for (const exchange of exchanges) exchange.cut();
      return size;
    },
  };
}

/** Answers for whoever asked in the end: mirrors on the way are told to those behind this one. */
function answerFollowing(
  exchange: Exchange,
  target: Target,
  serving: Serving,
  via: string | undefined,
): Promise<void> {
  const answer = (): Promise<void> => answerDistribution(exchange, target, serving);
  const header = exchange.header('via');
  if (header === undefined) return answer();
  const names = namesInVia(header);
  if (via === undefined || !isCircle(names, via)) return cameThrough(names, answer);
  return Promise.reject(new RegistryError('LOOP_DETECTED'));
}

/**
 * What could mean one thing to a front end and another one here is how requests are smuggled: no
 * host or several (RFC 9112 section 3.2), a body whose end nobody knows (section 6.1).
 */
function refuseAmbiguous({
  httpVersionMajor,
  httpVersionMinor,
  headers,
  rawHeaders,
}: Incoming): void {
  if (httpVersionMajor !== 1) return;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw new RegistryError('REQUEST_INVALID', 'a transfer coding other than chunked');
  }
  if (httpVersionMinor === 0) return;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts !== 1)
    throw new RegistryError('REQUEST_INVALID', `${hosts} Host headers instead of one`);
}

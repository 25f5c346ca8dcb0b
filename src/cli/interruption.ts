import type { EventEmitter } from 'node:events';

/** Ctrl-C and its like. */
export interface Interruption {
  /**
   * Aborted by the first SIGINT or SIGTERM from now on, so that what is under way is put away; the
   * second one ends the process at once. For verbs that do not stop in a way of their own.
   */
  listen(): AbortSignal;
  readonly aborted: boolean;
}

export function interruption(process: EventEmitter): Interruption {
  const controller = new AbortController();
  let listening = false;
  return {
    listen() {
      if (!listening) {
        listening = true;
        for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => controller.abort());
      }
      return controller.signal;
    },
    get aborted() {
      return controller.signal.aborted;
    },
  };
}

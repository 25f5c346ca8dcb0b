import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds. What a server does behind an answer is only to be seen by looking again. */
const PAUSE = 20;
const PATIENCE = 20_000;

/** Looks until it is so. @throws Error naming what was waited for in vain */
export async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await delay(PAUSE);
  }
}

import type { Actions } from './actions.ts';
import type { Interruption } from './interruption.ts';
import type { Output } from './output.ts';

/** What the verbs are given by whoever starts the program. Nothing of it is loaded before a verb asks for it. */
export interface Context {
  readonly version: string;
  readonly output: Output;
  readonly interruption: Interruption;
  /** What the verbs that look after a mirror do. */
  readonly actions: () => Promise<Actions>;
}

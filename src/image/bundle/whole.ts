import type { Descriptor } from '../../core/descriptor.ts';
import type { Reference } from '../../core/reference.ts';
import type { Closure } from './closure-parts.ts';

/** An image that is here whole, and what it is to be found under. */
export interface Whole {
  readonly reference: Reference;
  readonly root: Descriptor;
  readonly closure: Closure;
}

import { printableName } from '../layer/name.ts';
import type { Context } from './context.ts';
import { integer, parseSelection, SelectionError } from './selection.ts';

/** What was answered, or where to go instead. */
export type Answer<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'back' }
  | { readonly kind: 'quit' };

export interface Menu {
  /** What is chosen, as the question calls it. */
  readonly what: string;
  readonly items: readonly string[];
}

/** Items that are shown at a time. */
const PAGE = 20;

/**
 * Asks one line. `undefined`: nothing more will be answered, since the lines have ended.
 * @throws where the user interrupts the question
 */
export async function ask(question: string, { input }: Context): Promise<string | undefined> {
  return (await input.line(question))?.trim();
}

/**
 * Tells a person that what they typed is no choice: they are asked again.
 * @throws SelectionError where lines come from a file: what follows was meant for other questions
 */
export function refuse(message: string, { input, output }: Context): void {
  if (input.watched === 'no') throw new SelectionError(message);
  output.error(`${message}\n`);
}

/** Asks for one of many, page by page. Gives its position. @throws as `refuse` */
export async function askItem({ what, items }: Menu, context: Context): Promise<Answer<number>> {
  let [shown, from] = [positions(items, ''), 0];
  const show = (): void => {
    const page = shown.slice(from, from + PAGE);
    const rows = page.map(
      (at) => `${`${at + 1}`.padStart(5)}. ${printableName(items[at] ?? '')}\n`,
    );
    const after = shown.length - from - page.length;
    context.output.out(`${rows.join('')}${after > 0 ? `       ${after} more\n` : ''}`);
  };
  show();
  for (;;) {
    const typed = await ask(
      `${what} (number or name, n more, /text filter, b back, q quit): `,
      context,
    );
    if (typed === undefined || typed.toLowerCase() === 'q') return { kind: 'quit' };
    if (typed.toLowerCase() === 'b') return { kind: 'back' };
    if (typed.startsWith('/') || typed === '' || typed === 'n') {
      const next = from + PAGE < shown.length ? from + PAGE : 0;
      [shown, from] = typed.startsWith('/') ? [positions(items, typed.slice(1)), 0] : [shown, next];
      show();
      continue;
    }
    const number = integer(typed);
    const value = number === undefined ? items.indexOf(typed) : number - 1;
    if (items[value] !== undefined) return { kind: 'answer', value };
    refuse(
      number === undefined
        ? `There is no ${what} ${JSON.stringify(typed)}.`
        : `Invalid selection. Please enter a number between 1 and ${items.length}.`,
      context,
    );
  }
}

/** Asks for layers by the grammar of `parseSelection`. Gives their positions. @throws as `refuse` */
export async function askLayers(
  count: number,
  context: Context,
): Promise<Answer<readonly number[]>> {
  for (;;) {
    const typed = await ask('Layers (5, 1-5, 1,3,5, a all, b back, q quit): ', context);
    if (typed === undefined) return { kind: 'quit' };
    if (typed.toLowerCase() === 'b') return { kind: 'back' };
    try {
      const selection = parseSelection(typed, count);
      if (selection.kind === 'quit') return { kind: 'quit' };
      return { kind: 'answer', value: selection.positions };
    } catch (error) {
      if (!(error instanceof SelectionError) || context.input.watched === 'no') throw error;
      context.output.error(`Error: ${error.message}\n`);
    }
  }
}

function positions(items: readonly string[], part: string): readonly number[] {
  return [...items.keys()].filter((at) => items[at]?.includes(part) === true);
}

import type { Context } from '../../context.ts';
import { integer, parseSelection, SelectionError } from '../../selection.ts';

/** What was answered, or that somebody has had enough: by `q`, Ctrl-C, or no more lines. */
export type Answer<T> = { readonly kind: 'answer'; readonly value: T } | { readonly kind: 'left' };

const LEFT = { kind: 'left' } as const;

/** The number of an item, asked for until it is one. Gives the item. */
export async function askItem(
  what: string,
  items: readonly string[],
  context: Context,
): Promise<Answer<string>> {
  for (;;) {
    const typed = await ask(`Select a ${what} (number) or 'q' to quit: `, context);
    if (typed.kind === 'left') return LEFT;
    if (typed.value.toLowerCase() === 'q') return leave('', context);
    const number = integer(typed.value);
    const value = number === undefined ? undefined : items[number - 1];
    if (value !== undefined) return { kind: 'answer', value };
    context.output.out(
      number === undefined
        ? "Please enter a valid number or 'q' to quit.\n"
        : `Invalid selection. Please enter a number between 1 and ${items.length}.\n`,
    );
  }
}

/** Positions of layers from 0, asked for until they make sense. */
export async function askLayers(
  count: number,
  context: Context,
): Promise<Answer<readonly number[]>> {
  for (;;) {
    const typed = await ask(
      "Select fsLayer(s) - number, range (1-5), list (1,3,5), 'a' for all, or 'q' to quit: ",
      context,
    );
    if (typed.kind === 'left') return LEFT;
    try {
      const selection = parseSelection(typed.value, count);
      if (selection.kind === 'quit') return leave('', context);
      return { kind: 'answer', value: selection.positions };
    } catch (error) {
      if (!(error instanceof SelectionError)) throw error;
      context.output.out(`Error: ${error.message}\n`);
    }
  }
}

/** Where layers go. */
export async function askFolder(context: Context): Promise<Answer<string>> {
  const typed = await ask('Output directory [press Enter for current dir]: ', context);
  return typed.kind === 'left' || typed.value !== '' ? typed : { kind: 'answer', value: '.' };
}

/** A person sees the prompt where they type; otherwise it belongs to what is printed. */
async function ask(prompt: string, context: Context): Promise<Answer<string>> {
  const { input, output, interruption } = context;
  const [own, before] = input.watched === 'yes' ? [prompt, ''] : ['', '\n'];
  if (input.watched === 'no') output.out(prompt);
  try {
    const line = await input.line(own);
    return line === undefined ? leave(before, context) : { kind: 'answer', value: line.trim() };
  } catch (error) {
    if (interruption.aborted) return leave(before, context);
    throw error;
  }
}

function leave(before: string, { output }: Context): typeof LEFT {
  output.out(`${before}Exiting.\n`);
  return LEFT;
}

/** What somebody chose of a numbered list; positions count from 0 and ascend, each of them once. */
export type Selection =
  | { readonly kind: 'chosen'; readonly positions: readonly number[] }
  | { readonly kind: 'quit' };

/** What was typed is no choice. The message is for whoever typed it. */
export class SelectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SelectionError';
  }
}

/**
 * Reads a choice of layers that are numbered from 1: `5`, `1,3,5`, `1-5`, `1-3,7,9-10`, `a` for all,
 * `q` for none. A range may be written from either end.
 * @param count how many there are
 * @throws SelectionError
 */
export function parseSelection(text: string, count: number): Selection {
  const typed = text.trim();
  const word = typed.toLowerCase();
  if (word === 'q') return { kind: 'quit' };
  const all = Array.from({ length: count }, (_, position) => position);
  if (word === 'a') return { kind: 'chosen', positions: all };
  const wanted = new Set<number>();
  for (const part of typed.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const [from, to] = part.includes('-') ? range(part, count) : single(part, count);
    for (const position of all.slice(from - 1, to)) wanted.add(position);
  }
  if (wanted.size === 0) throw new SelectionError('No valid layers specified.');
  return { kind: 'chosen', positions: [...wanted].toSorted((one, other) => one - other) };
}

type Range = readonly [from: number, to: number];

function single(part: string, count: number): Range {
  const number = integer(part);
  if (number === undefined) throw new SelectionError(`Invalid number: '${part}'.`);
  if (isWithin(number, count)) return [number, number];
  throw new SelectionError(`Layer ${number} is out of range. Must be between 1 and ${count}.`);
}

/** Divided at the first dash: a second one belongs to the number that follows, which is too small. */
function range(part: string, count: number): Range {
  const dash = part.indexOf('-');
  const start = integer(part.slice(0, dash));
  const end = integer(part.slice(dash + 1));
  if (start === undefined || end === undefined) {
    throw new SelectionError("Invalid range format. Use format like '1-5'.");
  }
  if (isWithin(start, count) && isWithin(end, count)) {
    return [Math.min(start, end), Math.max(start, end)];
  }
  throw new SelectionError(`Layer numbers must be between 1 and ${count}.`);
}

/** Reads the number of an item in a list. `undefined` for what is no integer. */
export function integer(text: string): number | undefined {
  const digits = text.trim();
  return /^[+-]?\d+$/.test(digits) ? Number(digits) : undefined;
}

function isWithin(number: number, count: number): boolean {
  return number >= 1 && number <= count;
}

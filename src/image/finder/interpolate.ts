/** Fills in what compose files leave to the environment. */
export interface Interpolated {
  readonly text: string;
  /** Variables that nobody has set, for which nothing was put in. */
  readonly unset: readonly string[];
}

export type Variables = (name: string) => string | undefined;

/** Thrown for what compose would refuse, too. */
export class InterpolationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InterpolationError';
  }
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?+]/y;
const DEEPEST = 16;

/**
 * `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`,
 * `${NAME:+instead}`, `${NAME+instead}`, one in another, and `$$` for a dollar (compose-spec,
 * "Interpolation").
 * @throws InterpolationError for what makes no sense, and for a variable that has to be set
 */
export function interpolate(text: string, variables: Variables): Interpolated {
  const unset: string[] = [];
  const reader = new Reader(text, variables, unset);
  return { text: reader.upTo(undefined, 0), unset };
}

class Reader {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #unset: string[];
  #at = 0;

  constructor(text: string, variables: Variables, unset: string[]) {
    this.#text = text;
    this.#variables = variables;
    this.#unset = unset;
  }

  /** What stands before `end`, or before the end of everything. */
  upTo(end: '}' | undefined, depth: number): string {
    if (depth > DEEPEST) throw new InterpolationError('variables are nested too deeply');
    let result = '';
    while (this.#at < this.#text.length) {
      const next = this.#text[this.#at] ?? '';
      if (next === end) return result;
      this.#at += 1;
      result += next === '$' ? this.#variable(depth) : next;
    }
    if (end === undefined) return result;
    throw new InterpolationError('a variable is not closed: } is missing');
  }

  #variable(depth: number): string {
    const next = this.#text[this.#at];
    if (next === '$') {
      this.#at += 1;
      return '$';
    }
    if (next !== '{') return this.#value(this.#name());
    this.#at += 1;
    const name = this.#name();
    const operator = this.#match(OPERATOR) ?? '';
    const unset = this.#unset.length;
    const word = operator === '' ? '' : this.upTo('}', depth + 1);
    if (this.#text[this.#at] !== '}') throw new InterpolationError(`\${${name} makes no sense`);
    this.#at += 1;
    if (operator === '') return this.#value(name);
    const value = this.#variables(name);
    const empty = value === undefined || (operator.startsWith(':') && value === '');
    const taken = operator.endsWith('+') ? !empty : empty;
    // What a word lacks that is not used is nobody's loss.
    if (!taken) this.#unset.length = unset;
    if (operator.endsWith('?')) {
      if (!empty) return value;
      throw new InterpolationError(`${name} has to be set${word === '' ? '' : `: ${word}`}`);
    }
    if (operator.endsWith('+')) return taken ? word : '';
    return empty ? word : value;
  }

  #value(name: string): string {
    const value = this.#variables(name);
    if (value === undefined) this.#unset.push(name);
    return value ?? '';
  }

  #name(): string {
    const name = this.#match(NAME);
    if (name !== undefined) return name;
    throw new InterpolationError('a $ without a variable; $$ is a dollar');
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    this.#at += found?.length ?? 0;
    return found;
  }
}

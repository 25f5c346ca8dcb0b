/**
 * Of what can be measured that which `--only` names, comma between; all of it when that is left out.
 * @throws Error for a name that is none: a table without it would look as if it had been measured
 */
export function chosen<T>(
  all: Readonly<Record<string, T>>,
  only: string | undefined,
): readonly (readonly [name: string, measure: T])[] {
  const names = only?.split(',') ?? Object.keys(all);
  const unknown = names.filter((name) => !Object.hasOwn(all, name));
  if (unknown.length > 0) {
    const listed = unknown.map((name) => JSON.stringify(name)).join(', ');
    throw new Error(`--only: there is no ${listed}; there are ${Object.keys(all).join(', ')}`);
  }
  return Object.entries(all).filter(([name]) => names.includes(name));
}

/** Runs at most `most` tasks at a time, in the order they came. */
export function limit(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/**
 * The outcomes of all, once none is running any more. @throws what failed first, in time; `onFailure`
 * has been called with it as it happened, to end the others
 */
export async function together<T>(
  tasks: readonly Promise<T>[],
  onFailure: (error: unknown) => void,
): Promise<readonly T[]> {
  let first: { readonly error: unknown } | undefined;
  const outcomes = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        return await task;
      } catch (error) {
        first ??= { error };
        if (first.error === error) onFailure(error);
        throw error;
      }
    }),
  );
  if (first !== undefined) throw first.error;
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

/**
 * What is made when it is first asked for, and then once, however many ask at a time. Where making it
 * fails, all who wait learn of it, and the next one to ask has it tried again.
 */
export function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => {
    const known = made ?? make();
    made = known;
    try {
      return await known;
    } catch (error) {
      if (made === known) made = undefined;
      throw error;
    }
  };
}

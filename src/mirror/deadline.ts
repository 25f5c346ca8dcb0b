export const LATE = Symbol('late');

/** What the promise gives if it does within so many milliseconds; it goes on by itself otherwise. */
export async function within<T>(
  promise: Promise<T>,
  milliseconds: number,
): Promise<T | typeof LATE> {
  const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(resolve, milliseconds, LATE);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

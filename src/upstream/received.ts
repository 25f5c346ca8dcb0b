/** Bytes that are told at once: each chunk for itself would cost more than it tells. */
const STEP = 1024 * 1024;

/** Adds up bytes and tells them in steps; what is left over is told with the next microtask lull of the body. */
export function received(tell: (bytes: number) => void): (bytes: number) => void {
  let untold = 0;
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    if (untold === 0) return;
    const bytes = untold;
    untold = 0;
    tell(bytes);
  };
  return (bytes) => {
    untold += bytes;
    if (untold >= STEP) return flush();
    if (scheduled) return undefined;
    scheduled = true;
    setImmediate(flush);
    return undefined;
  };
}

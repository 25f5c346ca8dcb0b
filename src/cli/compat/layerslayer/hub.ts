import { ApiError, type Answer, type Query } from './answer.ts';

/** Milliseconds until Hub has to have answered. */
const PATIENCE = 30_000;

/**
 * Asks Hub what it was asked for, and answers what Hub answers, its status included.
 * @param names of the parameters that go along, each with what stands for it when it is left out
 * @throws ApiError 502 when Hub cannot be asked
 */
export async function passedThrough(
  hub: URL,
  segments: readonly string[],
  { parameters }: Query,
  names: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<Answer> {
  const base = hub.href.replace(/\/$/, '');
  const url = new URL(`${base}/${segments.map(encodeURIComponent).join('/')}`);
  for (const [name, otherwise] of Object.entries(names)) {
    const value = parameters.get(name) ?? otherwise;
    if (value !== undefined) url.searchParams.set(name, value);
  }
  try {
    const headers = { Accept: 'application/json' };
    const ended = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
    const response = await fetch(url, { headers, signal: ended });
    const type = response.headers.get('content-type') ?? 'application/json';
    return { status: response.status, type, body: await response.text() };
  } catch (cause) {
    throw new ApiError(502, `${url.host} cannot be asked`, { cause });
  }
}

import { readAll, type HttpResponse } from './exchange.ts';

/** One entry of the distribution specification's error document. */
export interface Said {
  readonly code: string;
  /** Printable ASCII, cut short: it is foreign text. */
  readonly message: string;
  /** As it came: any JSON, foreign as well. */
  readonly detail?: unknown;
}

const LONGEST_ERROR = 64 * 1024;
const LONGEST_MESSAGE = 300;

/** What an OCI error body says; `undefined` when the body is none. Reads the response to its end. */
export async function saidBy(response: HttpResponse): Promise<readonly Said[] | undefined> {
  try {
    const bytes = await readAll(response, LONGEST_ERROR);
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value !== 'object' || value === null || !('errors' in value)) return undefined;
    if (!Array.isArray(value.errors)) return undefined;
    const said = value.errors.flatMap((entry: unknown) =>
      typeof entry === 'object' && entry !== null && 'code' in entry ? [parse(entry)] : [],
    );
    return said.length === 0 ? undefined : said;
  } catch {
    // Unreadable in whatever way: then it is not the registry's own word.
    return undefined;
  }
}

function parse(entry: { code: unknown; message?: unknown; detail?: unknown }): Said {
  const message = typeof entry.message === 'string' ? entry.message : '';
  return {
    code: String(entry.code),
    message: message.replace(/[^\x20-\x7e]+/g, ' ').slice(0, LONGEST_MESSAGE),
    ...(entry.detail !== undefined && { detail: entry.detail }),
  };
}

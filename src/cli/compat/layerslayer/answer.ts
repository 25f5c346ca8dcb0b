import { isUnknown, RegistryError } from '../../../core/errors.ts';
import { Refusal } from './target.ts';

/** What the HTTP API answers with. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | AsyncIterable<Uint8Array | string>;
}

/** Ends a request with a status and a reason. */
export class ApiError extends Error {
  readonly status: number;
  readonly detail: unknown;

  constructor(status: number, detail: unknown, options?: ErrorOptions) {
    super(String(detail), options);
    this.name = 'ApiError';
    this.status = status;
    this.detail = detail;
  }
}

export function textAnswer(body: Answer['body']): Answer {
  return { status: 200, type: 'text/plain; charset=utf-8', body };
}

export function jsonAnswer(value: unknown, status = 200): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

/** What a failure is answered with: `{"detail": …}`. */
export function failedAnswer(error: unknown): Answer {
  if (error instanceof ApiError) return jsonAnswer({ detail: error.detail }, error.status);
  if (error instanceof Refusal) return jsonAnswer({ detail: error.message }, 400);
  if (!(error instanceof RegistryError))
    return jsonAnswer({ detail: 'Internal Server Error' }, 500);
  const { code, message, status: own } = error;
  const gone = isUnknown(error) || code === 'FILE_UNKNOWN';
  const status = gone ? 404 : own >= 500 || own === 422 ? 502 : own;
  return jsonAnswer({ detail: message }, status);
}

/** What stands behind the question mark. */
export interface Query {
  readonly parameters: URLSearchParams;
  /** @throws ApiError 422 where it is missing */
  required(name: string): string;
  /** @throws ApiError 422 for what is no number within the limits */
  number(name: string, otherwise: number, highest?: number): number;
  flag(name: string): boolean;
}

export function queryOf(parameters: URLSearchParams): Query {
  return {
    parameters,
    required(name) {
      const value = parameters.get(name);
      if (value !== null) return value;
      throw invalid(name, 'missing', 'Field required');
    },
    number(name, otherwise, highest = Number.MAX_SAFE_INTEGER) {
      const text = parameters.get(name);
      if (text === null) return otherwise;
      const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
      if (value <= highest) return value;
      throw invalid(name, 'int_parsing', `Input should be an integer up to ${highest}`);
    },
    flag: (name) => /^(?:1|true|yes|on)$/i.test(parameters.get(name) ?? ''),
  };
}

function invalid(name: string, type: string, msg: string): ApiError {
  return new ApiError(422, [{ type, loc: ['query', name], msg }]);
}

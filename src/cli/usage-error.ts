import { RegistryError } from '../core/errors.ts';

/** The command line makes no sense: exit code 2. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageError';
  }
}

/** The same parser, for what stands on the command line: what it refuses is a `UsageError`. */
export function asUsage<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      throw new UsageError(error.message, { cause: error });
    }
  };
}

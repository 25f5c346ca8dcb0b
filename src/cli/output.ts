/** Where a verb writes. Data to `out` and `bytes`, everything else to `error`. */
export interface Output {
  out(text: string): void;
  /** Data as it is; settles when the next may come, so that a slow reader is waited for. */
  bytes(chunk: Uint8Array): Promise<void>;
  error(text: string): void;
  /** Whether a person watches `error`: only then is progress drawn. */
  readonly watched: 'yes' | 'no';
  /** Characters that fit into a line of `error`. */
  readonly columns: number;
}

/** Sets the exit code to 1: the verb did its work and its finding is bad. */
export class Finding extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Finding';
  }
}

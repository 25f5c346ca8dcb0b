import { RegistryError } from '../../core/errors.ts';
import type { BlobIndex } from './blob-index.ts';
import type { Budget, Limits } from './budget.ts';
import type { Ledger } from './ledger.ts';
import type { UploadRoom } from './room.ts';

export interface UploadBudgetOptions {
  readonly budget: Budget;
  readonly ledger: Ledger;
  readonly index: BlobIndex;
  readonly limits: () => Limits;
}

/** Seconds after which a push that found no room for the moment may try again. */
const LATER = 10;

/** Has pushes count in the budget, and what is cached make way for them. */
export class UploadBudget implements UploadRoom {
  readonly #options: UploadBudgetOptions;

  constructor(options: UploadBudgetOptions) {
    this.#options = options;
  }

  async grow(name: string, need: number, want: number): Promise<number> {
    const { budget, ledger, limits } = this.#options;
    const had = ledger.uploadOf(name);
    if (need <= had) return had;
    const fits = (size: number): boolean => ledger.used + size - had <= limits().maxSize;
    const size = fits(want) ? Math.max(need, want) : need;
    const refused = await budget.reserve(
      () => size - had,
      () => ledger.upload(name, size),
    );
    if (refused === undefined) return size;
    this.admit(name, need);
    if (!fits(need)) {
      const message = `no room at the moment: ${refused}`;
      throw new RegistryError('STORAGE_UNAVAILABLE', message, { retryAfter: LATER });
    }
    // What stays free on the disk stays so for what can be fetched again: a push ends where the disk does.
    ledger.upload(name, need);
    return need;
  }

  admit(name: string, size: number): void {
    const { ledger, index, limits } = this.#options;
    const { maxSize } = limits();
    const lasting = index.keptBytes + ledger.uploaded;
    if (lasting + size - ledger.uploadOf(name) <= maxSize) return;
    throw new RegistryError(
      'STORAGE_UNAVAILABLE',
      `no room: of the ${maxSize} bytes of storage.maxSize ${lasting} are taken by what was pushed, is being pushed or is pinned, and none of that is evicted`,
      { status: 507 },
    );
  }

  rest(name: string, bytes: number): void {
    this.#options.ledger.upload(name, bytes);
  }
}

import { isDeepStrictEqual } from 'node:util';
import { rememberedIn } from '../image/prefetch/remembered.ts';
import { Schedule, type ScheduleEntry, type ScheduleOptions } from '../image/prefetch/schedule.ts';
import { namesIn } from './image-names.ts';

export interface ScheduledOptions extends Omit<ScheduleOptions, 'entries' | 'remembered' | 'read'> {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where it is remembered when entries last ran. */
  readonly file: string;
}

/** The schedule in effect: another configuration has another one. */
export class Scheduled implements AsyncDisposable {
  readonly #options: ScheduledOptions;
  #entries: readonly ScheduleEntry[] = [];
  #schedule: Schedule | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(options: ScheduledOptions) {
    this.#options = options;
  }

  /** From now on these. What is under way for others ends first. Never throws. */
  set(entries: readonly ScheduleEntry[]): void {
    if (isDeepStrictEqual(entries, this.#entries)) return;
    this.#entries = entries;
    this.#last = this.#last.then(async () => {
      await this.#schedule?.[Symbol.asyncDispose]();
      this.#schedule = undefined;
      if (this.#entries === entries && entries.length > 0) this.#schedule = this.#begin(entries);
    });
  }

  /** A cached tag means something else now. */
  readonly moved: Schedule['moved'] = (repository, tag) => this.#schedule?.moved(repository, tag);

  async [Symbol.asyncDispose](): Promise<void> {
    this.set([]);
    await this.#last;
  }

  #begin(entries: readonly ScheduleEntry[]): Schedule {
    const { environment, file, ...options } = this.#options;
    return new Schedule({
      ...options,
      entries,
      remembered: rememberedIn(file, entries),
      read: (files, signal) => namesIn(files, { environment, signal }),
    });
  }
}

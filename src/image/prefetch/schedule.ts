import { setTimeout as delay } from 'node:timers/promises';
import { asError } from '../../core/errors.ts';
import type { Platform } from '../../core/platform.ts';
import { formatReference, same, type Repository, type Tag } from '../../core/reference.ts';
import { isAbsent, type PrefetchFailure, type PrefetchSummary } from './event.ts';
import type { Prefetcher, Trigger } from './prefetcher.ts';
import { isWanted, parseWanted, type Wanted } from './wanted.ts';

/** What is fetched again and again. */
export interface ScheduleEntry {
  /** References, or patterns of tags. */
  readonly images: readonly string[];
  /** Files in which images are named, read before each run. */
  readonly files: readonly string[];
  readonly platforms: readonly Platform[] | 'all';
  readonly referrers: 'left-out' | 'copied';
  readonly maxTags: number;
  /** Milliseconds; 0: never by the clock. */
  readonly every: number;
  readonly whenTagMoves: boolean;
}

/** When entries last ran, also before the process began. Milliseconds since 1970. */
export interface Remembered {
  last(entry: ScheduleEntry): Promise<number | undefined>;
  ran(entry: ScheduleEntry, at: number): Promise<void>;
}

export interface ScheduleOptions {
  readonly entries: readonly ScheduleEntry[];
  readonly prefetcher: Pick<Prefetcher, 'run'>;
  readonly remembered: Remembered;
  /** What files name, and what in them cannot be used; rejects when the signal comes. */
  readonly read: (files: readonly string[], signal: AbortSignal) => Promise<Named>;
  /** Where a name leads. @throws RegistryError for a registry that is not configured */
  readonly route: (repository: Repository) => Repository;
  /** A run could not be begun: nothing else ends because of it. */
  readonly onError: (error: Error) => void;
  readonly onUnusable?: (failure: PrefetchFailure) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds; rejects when the signal comes. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

export interface Named {
  readonly images: readonly string[];
  readonly unusable: readonly PrefetchFailure[];
  /** Those of them that are built where they are named: no registry need have them. */
  readonly built?: readonly string[];
}

/** An entry with when it is due, and which images it is about as far as that is known. */
interface Planned {
  readonly entry: ScheduleEntry;
  wanted: readonly Wanted[];
  due: number;
  failures: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Between two looks at the clock, which may be set meanwhile. */
const LOOKED = 10 * MINUTE;

/** Many mirrors with the same schedule should not ask at the same moment: so much later at the most. */
const SPREAD = 10 * MINUTE;
const SPREAD_AT_START = MINUTE;

/** After a run with failures the next one is due earlier, twice as late each time. */
const AGAIN = 10 * MINUTE;

/** Tags that have moved and wait to be fetched. */
const MOST_MOVED = 1_000;

/** Fetches its entries when they are due, one at a time, and tags that have moved, until it is closed. */
export class Schedule implements AsyncDisposable {
  readonly #options: ScheduleOptions;
  readonly #stop = new AbortController();
  readonly #plan: readonly Planned[];
  readonly #moved = new Map<string, Planned>();
  readonly #running: Promise<void>;
  #current: Planned | undefined;
  #moving: Promise<void> | undefined;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#plan = options.entries.map((entry) => {
      const wanted = entry.images.map(parseWanted);
      return { entry, wanted, due: Infinity, failures: 0 };
    });
    this.#running = this.#run();
  }

  /** A cached tag means something else now: if an entry follows it, the image is fetched whole. */
  moved(repository: Repository, tag: Tag): void {
    if (this.#stop.signal.aborted) return;
    const planned = this.#plan.find(
      (one) => one.entry.whenTagMoves && this.#isAbout(one, repository, tag),
    );
    // The run that is under way is what has noticed it, or will.
    if (planned === undefined || planned === this.#current) return;
    if (this.#moved.size >= MOST_MOVED) return;
    this.#moved.set(formatReference(repository, tag), planned);
    this.#moving ??= this.#fetchMoved();
  }

  /** Ends what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#moving;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { now = Date.now, wait = idle } = this.#options;
    await this.#guarded(() => this.#begin());
    while (!signal.aborted) {
      const next = this.#plan.toSorted((a, b) => a.due - b.due)[0];
      if (next === undefined || next.due === Infinity) return;
      // A clock that was set back does not put a run off by more than its period.
      next.due = Math.min(next.due, now() + next.entry.every + SPREAD);
      try {
        await wait(Math.max(0, Math.min(LOOKED, next.due - now())), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        return;
      }
      if (now() >= next.due) await this.#fetch(next);
    }
  }

  async #begin(): Promise<void> {
    const { remembered, read, now = Date.now } = this.#options;
    for (const planned of this.#plan) {
      const { entry } = planned;
      if (entry.whenTagMoves && entry.files.length > 0) {
        await this.#guarded(async () =>
          this.#know(planned, await read(entry.files, this.#stop.signal)),
        );
      }
      if (entry.every === 0) continue;
      const last = await remembered.last(entry);
      // What never ran is waited for; what is overdue may be so in many mirrors that start together.
      const due = last === undefined ? 0 : Math.min(last, now()) + entry.every;
      const late = last !== undefined && due < now();
      planned.due = Math.max(now(), due) + (late ? this.#spread(entry, SPREAD_AT_START) : 0);
    }
  }

  async #fetch(planned: Planned): Promise<void> {
    const { read, remembered, now = Date.now, onUnusable } = this.#options;
    const { entry } = planned;
    this.#current = planned;
    const at = now();
    let complete = false;
    await this.#guarded(async () => {
      const named = await read(entry.files, this.#stop.signal);
      this.#know(planned, named);
      for (const failure of named.unusable) onUnusable?.(failure);
      const images = [...new Set([...entry.images, ...named.images])];
      const summary = await this.#ask(entry, images, 'schedule');
      const built = new Set(named.built).difference(namesOf(entry));
      const failures = summary.failures.filter(
        (failure) => !isAbsent(failure) || !built.has(failure.image),
      );
      complete = failures.length === 0 && named.unusable.length === 0;
    });
    this.#current = undefined;
    if (this.#stop.signal.aborted) return;
    planned.failures = complete ? 0 : planned.failures + 1;
    const sooner = AGAIN * 2 ** Math.min(16, planned.failures - 1);
    const pause = complete ? entry.every : Math.min(entry.every, sooner);
    planned.due = now() + pause + this.#spread(entry, SPREAD);
    await this.#guarded(() => remembered.ran(entry, at));
  }

  async #fetchMoved(): Promise<void> {
    for (const [image, { entry }] of this.#moved) {
      if (this.#stop.signal.aborted) break;
      await this.#guarded(async () => void (await this.#ask(entry, [image], 'tag-moved')));
      // What was told meanwhile of the same tag has been seen by the run.
      this.#moved.delete(image);
    }
    this.#moving = undefined;
  }

  #ask(
    entry: ScheduleEntry,
    images: readonly string[],
    trigger: Trigger,
  ): Promise<PrefetchSummary> {
    const { platforms, referrers, maxTags } = entry;
    const query = { images, platforms, referrers, maxTags, mode: 'fetch' } as const;
    const run = { signal: this.#stop.signal, observe: () => {} };
    return this.#options.prefetcher.run(query, run, trigger);
  }

  #know(planned: Planned, { images }: Named): void {
    planned.wanted = [...planned.entry.images, ...images].map(parseWanted);
  }

  #isAbout({ wanted }: Planned, repository: Repository, tag: Tag): boolean {
    return wanted.some((one) => isWanted(one, tag) && this.#leadsTo(one.repository, repository));
  }

  #leadsTo(named: Repository, repository: Repository): boolean {
    if (named.path !== repository.path) return false;
    try {
      return same(this.#options.route(named), repository);
    } catch {
      // It is not configured: nobody can be asked for it, so it cannot be what moved.
      return false;
    }
  }

  #spread({ every }: ScheduleEntry, most: number): number {
    const { random = Math.random } = this.#options;
    return Math.floor(random() * Math.min(most, every / 10));
  }

  /** Nothing that goes wrong once is a reason not to go on. */
  async #guarded(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#options.onError(asError(error));
    }
  }
}

async function idle(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal, ref: false });
}

/** What the entry itself names, with the registry of each: it is to be had, whatever a file says of it. */
function namesOf({ images }: ScheduleEntry): ReadonlySet<string> {
  const wanted = images.map(parseWanted);
  return new Set(
    wanted.flatMap((one) => ('at' in one ? [formatReference(one.repository, one.at)] : [])),
  );
}

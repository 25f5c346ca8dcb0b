import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Pulse } from '../../../src/core/pulse.ts';
import { parseTag } from '../../../src/core/reference.ts';
import type { PrefetchSummary } from '../../../src/image/prefetch/event.ts';
import type { PrefetchQuery, PrefetchRun } from '../../../src/image/prefetch/prefetcher.ts';
import { rememberedIn } from '../../../src/image/prefetch/remembered.ts';
import {
  Schedule,
  type Named,
  type ScheduleEntry,
  type ScheduleOptions,
} from '../../../src/image/prefetch/schedule.ts';
import { temporaryFolder } from '../../fixtures/temporary.ts';

const HOUR = 3_600_000;
const NOTHING = { blobs: 0, bytes: 0 };
const COMPLETE: PrefetchSummary = { complete: 1, fetched: NOTHING, held: NOTHING, failures: [] };
const FAILED: PrefetchSummary = {
  ...COMPLETE,
  failures: [{ image: 'x', code: 'UNKNOWN', reason: 'no' }],
};

const entry = (given: Partial<ScheduleEntry> = {}): ScheduleEntry => ({
  images: ['x:1.*'],
  files: [],
  platforms: [],
  referrers: 'left-out',
  maxTags: 100,
  every: 6 * HOUR,
  whenTagMoves: false,
  ...given,
});

type Run = (query: PrefetchQuery, run: PrefetchRun) => Promise<PrefetchSummary>;

/** A schedule by a clock that moves only when it is told to, and that can be set beside that. */
function ticking(entries: readonly ScheduleEntry[], given: Partial<ScheduleOptions> = {}) {
  const pulse = new Pulse();
  const state = { now: 1_000_000_000_000, elapsed: 0, waiting: 0 };
  const ran: {
    readonly at: number;
    readonly images: readonly string[];
    readonly trigger: string;
  }[] = [];
  const errors: Error[] = [];
  const times = new Map<ScheduleEntry, number>();
  let run: Run = async () => COMPLETE;
  /** It waits for the clock again, or for a run that the test holds. */
  const settled = async (): Promise<void> => {
    await turned();
    for (let turn = 0; turn < 50 && state.waiting === 0; turn += 1) await turned();
  };
  const schedule = () =>
    new Schedule({
      entries,
      prefetcher: {
        run: async (query, options, trigger) => {
          ran.push({ at: state.now, images: query.images, trigger });
          pulse.give();
          return run(query, options);
        },
      },
      remembered: {
        last: async (one) => times.get(one),
        ran: async (one, at) => void times.set(one, at),
      },
      read: async (): Promise<Named> => ({ images: [], unusable: [] }),
      route: (repository) => repository,
      onError: (error) => errors.push(error),
      now: () => state.now,
      random: () => 0,
      wait: async (milliseconds, signal) => {
        const until = state.elapsed + milliseconds;
        state.waiting += 1;
        pulse.give();
        const woken = Promise.withResolvers<void>();
        const wake = () => woken.reject(signal.reason);
        signal.addEventListener('abort', wake);
        if (signal.aborted) wake();
        const looking = (async () => {
          while (state.elapsed < until) await pulse.wait();
        })();
        try {
          await Promise.race([looking, woken.promise]);
        } finally {
          state.waiting -= 1;
        }
      },
      ...given,
    });
  return {
    schedule,
    settled,
    ran,
    errors,
    times,
    state,
    answer: (next: Run) => (run = next),
    /** In steps of the looks at the clock. */
    async advance(milliseconds: number) {
      const end = state.elapsed + milliseconds;
      while (state.elapsed < end) {
        await settled();
        const step = Math.min(end - state.elapsed, 10 * 60_000);
        state.elapsed += step;
        state.now += step;
        pulse.give();
      }
      await settled();
    },
    async until(count: number) {
      while (ran.length < count) await pulse.wait();
    },
  };
}

async function turned(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve));
}

test('an entry runs at the start when it is due, and then every so often', async () => {
  const clock = ticking([entry()]);
  const start = clock.state.now;
  await using _ = clock.schedule();
  await clock.until(1);
  await clock.advance(13 * HOUR);
  assert.deepEqual(
    clock.ran.map(({ at, images, trigger }) => [(at - start) / HOUR, images, trigger]),
    [0, 6, 12].map((at) => [at, ['x:1.*'], 'schedule']),
  );
});

test('what ran before the start waits for the rest of its time', async () => {
  const one = entry();
  const clock = ticking([one]);
  clock.times.set(one, clock.state.now - 4 * HOUR);
  await using _ = clock.schedule();
  await clock.advance(HOUR);
  assert.equal(clock.ran.length, 0);
  await clock.advance(HOUR);
  assert.equal(clock.ran.length, 1);
});

test('what is overdue at the start runs within a minute', async () => {
  const one = entry();
  const clock = ticking([one], { random: () => 0.999 });
  clock.times.set(one, clock.state.now - 10 * HOUR);
  await using _ = clock.schedule();
  await clock.advance(HOUR / 60);
  assert.equal(clock.ran.length, 1);
});

test('runs never overlap, and one that takes long does not pile up others', async () => {
  const clock = ticking([entry(), entry({ images: ['y'], every: HOUR })]);
  let [running, most] = [0, 0];
  const gates: (() => void)[] = [];
  clock.answer(async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => gates.push(resolve));
    running -= 1;
    return COMPLETE;
  });
  const schedule = clock.schedule();
  await clock.until(1);
  await clock.advance(20 * HOUR);
  assert.equal(clock.ran.length, 1);
  gates.shift()?.();
  await clock.until(2);
  gates.shift()?.();
  await turned();
  assert.equal(most, 1);
  clock.answer(async () => COMPLETE);
  await schedule[Symbol.asyncDispose]();
});

test('after failures the next run comes sooner, then later each time, and never more often than asked for', async () => {
  const clock = ticking([entry()]);
  clock.answer(async () => FAILED);
  const start = clock.state.now;
  await using _ = clock.schedule();
  await clock.until(1);
  await clock.advance(16 * HOUR);
  const minutes = clock.ran.map(({ at }) => (at - start) / 60_000);
  assert.deepEqual(minutes, [0, 10, 30, 70, 150, 310, 630]);
  clock.answer(() => Promise.reject(new Error('a defect')));
  await clock.advance(6 * HOUR);
  assert.equal(clock.errors.length > 0, true);
});

test('what an entry names itself has to be had, although a file says that it is built', async () => {
  for (const [images, again] of [
    [[], 6 * 60],
    [['x/app:1'], 10],
  ] as const) {
    const image = 'docker.io/x/app:1';
    const clock = ticking([entry({ images, files: ['compose.yaml'] })], {
      read: async () => ({ images: [image], unusable: [], built: [image] }),
    });
    const failures = [{ image, code: 'MANIFEST_UNKNOWN', reason: 'there is none' }] as const;
    clock.answer(async () => ({ ...COMPLETE, failures }));
    await using _ = clock.schedule();
    await clock.until(1);
    await clock.advance(7 * HOUR);
    const [first, second] = clock.ran;
    assert.equal(((second?.at ?? 0) - (first?.at ?? 0)) / 60_000, again);
  }
});

test('a clock that is set back or ahead by a year keeps nothing from running', async () => {
  const clock = ticking([entry()]);
  await using _ = clock.schedule();
  await clock.until(1);
  await clock.settled();
  const year = 365 * 24 * HOUR;
  clock.state.now -= year;
  await clock.advance(7 * HOUR);
  assert.equal(clock.ran.length, 2);
  clock.state.now += year;
  await clock.advance(HOUR);
  assert.equal(clock.ran.length, 3);
});

test('mirrors with one schedule do not ask at one moment', async () => {
  const clock = ticking([entry()], { random: () => 0.999 });
  const start = clock.state.now;
  await using _ = clock.schedule();
  await clock.advance(13 * HOUR);
  const minutes = clock.ran.map(({ at }) => (at - start) / 60_000);
  // The clock of this test is looked at every ten minutes.
  assert.deepEqual(minutes, [0, 370, 740]);
});

test('files are read before each run; what in them cannot be used is told and counts as a failure', async () => {
  let images = ['a:1'];
  const told: string[] = [];
  const failure = { image: 'B', code: 'NAME_INVALID', reason: 'no' } as const;
  const clock = ticking([entry({ files: ['list'] })], {
    read: async () => ({ images, unusable: images.length > 1 ? [failure] : [] }),
    onUnusable: ({ image }) => told.push(image),
  });
  await using _ = clock.schedule();
  await clock.until(1);
  images = ['a:1', 'b:1'];
  await clock.advance(6 * HOUR);
  await clock.advance(HOUR / 6);
  assert.deepEqual(
    clock.ran.map(({ images }) => images),
    [
      ['x:1.*', 'a:1'],
      ['x:1.*', 'a:1', 'b:1'],
      ['x:1.*', 'a:1', 'b:1'],
    ],
  );
  assert.deepEqual(told, ['B', 'B']);
});

test('a tag that moves is fetched at once where an entry follows it, each once', async () => {
  const repository = { host: 'docker.io', path: 'library/x' };
  const other = { host: 'docker.io', path: 'library/y' };
  const entries = [
    entry({ every: 0, whenTagMoves: true, files: ['list'] }),
    entry({ images: ['y'], every: 0 }),
  ];
  const clock = ticking(entries, { read: async () => ({ images: ['z:2'], unusable: [] }) });
  const done = Promise.withResolvers<void>();
  clock.answer(async () => {
    await done.promise;
    return COMPLETE;
  });
  const schedule = clock.schedule();
  for (let turn = 0; turn < 5; turn += 1) await turned();
  schedule.moved(repository, parseTag('1.5'));
  schedule.moved(repository, parseTag('1.5'));
  schedule.moved(repository, parseTag('2.0'));
  schedule.moved(other, parseTag('latest'));
  schedule.moved({ ...repository, path: 'library/z' }, parseTag('2'));
  done.resolve();
  await clock.until(2);
  await schedule[Symbol.asyncDispose]();
  assert.deepEqual(
    clock.ran.map(({ images, trigger }) => [images, trigger]),
    [
      [['docker.io/library/x:1.5'], 'tag-moved'],
      [['docker.io/library/z:2'], 'tag-moved'],
    ],
  );
});

test('a tag whose move the run under way has noticed is not fetched beside it', async () => {
  const clock = ticking([entry({ whenTagMoves: true })]);
  const gate = Promise.withResolvers<void>();
  clock.answer(async () => {
    await gate.promise;
    return COMPLETE;
  });
  const schedule = clock.schedule();
  await clock.until(1);
  schedule.moved({ host: 'docker.io', path: 'library/x' }, parseTag('1.5'));
  gate.resolve();
  await clock.settled();
  await schedule[Symbol.asyncDispose]();
  assert.equal(clock.ran.length, 1);
});

test('closed in the middle of a run it ends that, and does not remember it', async () => {
  const clock = ticking([entry()]);
  clock.answer(
    (_query, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const schedule = clock.schedule();
  await clock.until(1);
  await schedule[Symbol.asyncDispose]();
  assert.equal(clock.times.size, 0);
  assert.deepEqual(clock.errors, []);
});

test('when entries ran outlasts the process; a file that makes no sense is as good as none', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'prefetch.json');
  const [one, other] = [entry(), entry({ images: ['y'] })];
  assert.equal(await rememberedIn(file, [one]).last(one), undefined);
  await rememberedIn(file, [one, other]).ran(one, 5);
  await rememberedIn(file, [one, other]).ran(other, 6);
  assert.equal(await rememberedIn(file, [one]).last({ ...one, every: 1 }), 5);
  // What is not scheduled any more is forgotten.
  await rememberedIn(file, [one]).ran(one, 7);
  assert.equal(await rememberedIn(file, [one]).last(other), undefined);
  for (const text of ['', '{', '[]', '{"ran":5}', '{"ran":{"a":"b"}}']) {
    await writeFile(file, text);
    assert.equal(await rememberedIn(file, [one]).last(one), undefined);
  }
});

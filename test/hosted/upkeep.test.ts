import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Collected } from '../../src/hosted/collect.ts';
import { upkeep, type UpkeepEvent } from '../../src/hosted/upkeep.ts';
import { HOUR } from './world.ts';

/** Runs the upkeep through so many pauses, in no time. */
async function through(
  pauses: number,
  every: number,
  collect: () => AsyncGenerator<Collected>,
): Promise<{ readonly events: readonly UpkeepEvent[]; readonly log: readonly string[] }> {
  const stop = new AbortController();
  const events: UpkeepEvent[] = [];
  const log: string[] = [];
  const hosted = {
    collect() {
      log.push('collect');
      return collect();
    },
    async expire() {
      log.push('expire');
      return 0;
    },
  };
  const wait = async (milliseconds: number): Promise<void> => {
    if (pauses === 0) stop.abort();
    stop.signal.throwIfAborted();
    pauses -= 1;
    log.push(`${milliseconds / 60_000} min`);
  };
  const observe = (event: UpkeepEvent): void => void events.push(event);
  await upkeep({ hosted, every: () => every, signal: stop.signal, observe, wait });
  return { events, log };
}

const nothing = async function* (): AsyncGenerator<Collected> {};

suite('upkeep', () => {
  test('throws uploads away often, and collects soon after the start and then seldom', async () => {
    const { log, events } = await through(5, HOUR / 2, nothing);
    const pause = ['10 min', 'expire'];
    const expected = [pause, 'collect', pause, pause, pause, 'collect', pause];
    assert.deepEqual(log, expected.flat());
    assert.deepEqual(
      events.map(({ type }) => type),
      ['collected', 'collected'],
    );
  });

  test('never collects where nobody wants that', async () => {
    const { log } = await through(10, 0, nothing);
    assert.ok(!log.includes('collect'));
  });

  test('goes on after an error, which is told', async () => {
    let failed = 0;
    const { events } = await through(4, 10 * 60_000, async function* () {
      if ((failed += 1) === 1) throw new Error('a bad day');
      yield* nothing();
    });
    const [first, second] = events;
    assert.equal(first?.type === 'failed' && first.error.message, 'a bad day');
    assert.equal(second?.type, 'collected');
  });
});

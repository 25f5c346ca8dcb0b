import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Past, type Stretch } from '../../../src/store/budget/past.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const START = Date.UTC(2026, 0, 1);

/** A machine whose clock can be set; runs of a process on it. */
function machine() {
  const state = { wall: START, monotonic: 0 };
  const run = (last: readonly Stretch[] = []) => {
    const past = new Past({ last, wall: () => state.wall, monotonic: () => state.monotonic });
    const dated = past.dated();
    return { past, age: (at: number) => dated.now() - dated.of(at) };
  };
  const pass = (time: number): number => {
    state.wall += time;
    state.monotonic += time;
    return state.wall;
  };
  return { state, run, pass };
}

for (const jump of [YEAR, -YEAR]) {
  test(`a clock that jumps by ${jump / DAY} days while it is looked at makes nothing older`, () => {
    const { state, run, pass } = machine();
    const { past, age } = run();
    const before = pass(10 * SECOND);
    assert.equal(age(before), 0);
    pass(SECOND);
    assert.equal(past.onWall(before), before);
    pass(SECOND);
    state.wall += jump;
    const unseen = pass(SECOND);
    pass(2 * SECOND);
    // What was written just before the jump is as old as the last look, or younger.
    assert.ok(age(before) >= 0 && age(before) <= 5 * SECOND, `${age(before)}`);
    assert.equal(age(unseen), 2 * SECOND);
    const ahead = pass(HOUR);
    assert.equal(age(ahead), 0);
    pass(2 * SECOND);
    state.wall -= jump;
    const back = pass(SECOND);
    assert.equal(age(back), 0);
    assert.ok(age(ahead) <= 3 * SECOND, `${age(ahead)}`);
    assert.ok(age(before) <= HOUR + 10 * SECOND, `${age(before)}`);
    const shown = state.wall - past.onWall(before);
    assert.ok(shown >= 0 && shown <= HOUR + 10 * SECOND, `${shown}`);
    pass(30 * DAY);
    for (const at of [unseen, ahead, back]) {
      assert.ok(Math.abs(age(at) - 30 * DAY) <= HOUR + SECOND * 10, `${age(at)}`);
    }
    assert.ok(Math.abs(age(before) - 30 * DAY) <= HOUR + SECOND * 10, `${age(before)}`);
  });

  test(`a clock that jumped by ${jump / DAY} days between two runs adds an hour at most`, () => {
    const { state, run, pass } = machine();
    const first = run();
    const before = pass(10 * SECOND);
    first.past.look();
    // Killed: nobody notes that time passed, nor that the clock had been set by then.
    const saved = first.past.stretches;
    state.wall += jump;
    const unnoted = pass(3 * SECOND);
    const second = run(saved);
    for (const at of [before, unnoted]) {
      assert.ok(second.age(at) >= 0 && second.age(at) <= HOUR, `${second.age(at)}`);
    }
    pass(2 * DAY);
    assert.ok(second.age(before) >= 2 * DAY && second.age(before) <= 2 * DAY + HOUR);
  });
}

test('a short pause counts whole, whichever run something is from; what came before all of them too', () => {
  const { run, pass } = machine();
  const first = run();
  const before = pass(2 * DAY);
  first.past.look();
  pass(HOUR / 2);
  const { past, age } = run(first.past.stretches);
  assert.deepEqual([past.stretches.length, age(before)], [1, HOUR / 2]);
  assert.equal(age(START - YEAR), YEAR + 2 * DAY + HOUR / 2);
});

test('a clock that is put right by seconds has not jumped', () => {
  const { state, run, pass } = machine();
  const { past, age } = run();
  const before = pass(HOUR);
  past.look();
  pass(5 * SECOND);
  state.wall -= 2 * SECOND;
  assert.deepEqual([age(before), past.stretches.length], [3 * SECOND, 1]);
});

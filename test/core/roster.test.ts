import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Roster, type Place } from '../../src/core/roster.ts';

test('holds exactly those who have come and not gone, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(), { freq: 3 })), (steps) => {
      const roster = new Roster<number>();
      const here: Place<number>[] = [];
      steps.forEach((step, number) => {
        if (step !== null) return void here.push(roster.enter(number));
        const [place] = here.splice((number * 7) % Math.max(1, here.length), 1);
        if (place !== undefined) roster.leave(place);
      });
      const expected = here.map(({ item }) => item).toSorted((a, b) => a - b);
      assert.deepEqual(
        [...roster].toSorted((a, b) => a - b),
        expected,
      );
      assert.equal(roster.size, expected.length);
    }),
  );
});

test('may change while it is gone through', () => {
  const roster = new Roster<string>();
  const places = ['a', 'b', 'c'].map((item) => roster.enter(item));
  const seen: string[] = [];
  for (const item of roster) {
    seen.push(item);
    for (const place of places.splice(0)) roster.leave(place);
    roster.enter('late');
  }
  assert.deepEqual(seen, ['a', 'b', 'c']);
});

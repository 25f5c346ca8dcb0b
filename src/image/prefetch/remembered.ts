import { createHash } from 'node:crypto';
import { isRecord } from '../../core/shape.ts';
import { readRecord, replaceFile } from '../../store/small-file.ts';
import type { Remembered, ScheduleEntry } from './schedule.ts';

/**
 * When entries last ran, in a file: what is not among them any more is forgotten. Without the file
 * everything is due; that costs requests, and nothing else.
 */
export function rememberedIn(file: string, entries: readonly ScheduleEntry[]): Remembered {
  const known = new Set(entries.map(keyOf));
  return {
    last: async (entry) => (await readRecord(file, timesIn))?.get(keyOf(entry)),
    ran: async (entry, at) => {
      const times = new Map((await readRecord(file, timesIn)) ?? []);
      times.set(keyOf(entry), at);
      const kept = [...times].filter(([key]) => known.has(key));
      await replaceFile(file, `${JSON.stringify({ ran: Object.fromEntries(kept) })}\n`);
    },
  };
}

/** The same for what fetches the same: how often does not matter. */
function keyOf({ images, files, platforms, referrers }: ScheduleEntry): string {
  const text = JSON.stringify([images, files, platforms, referrers]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function timesIn(value: unknown): ReadonlyMap<string, number> | undefined {
  if (!isRecord(value) || !isRecord(value['ran'])) return undefined;
  const times = Object.entries(value['ran']);
  return new Map(
    times.flatMap(([key, at]) =>
      typeof at === 'number' && Number.isFinite(at) ? [[key, at]] : [],
    ),
  );
}

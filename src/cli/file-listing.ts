import type { FileEntry } from '../image/files/file-entry.ts';
import { fileLine, type LineOptions } from './file-line.ts';
import { lineWriter } from './line-writer.ts';
import type { Output } from './output.ts';

export type ListingForm = LineOptions | 'json';

/**
 * Prints entries as they come: lines, or a JSON array. Of a listing that fails before its first entry
 * nothing is printed. Returns how many there were.
 */
export async function printEntries(
  entries: AsyncIterable<FileEntry>,
  form: ListingForm,
  output: Output,
): Promise<number> {
  const lines = lineWriter(output);
  let [count, repeated] = [0, 0];
  try {
    for await (const entry of entries) {
      await lines.write(form === 'json' ? element(entry, count) : fileLine(entry, form));
      count += 1;
      if (entry.repeated === true) repeated += 1;
    }
    if (form === 'json') await lines.write(count === 0 ? '[]\n' : '\n]\n');
  } finally {
    await lines.end();
  }
  if (repeated > 0 && form !== 'json' && form.layers === 'left out') {
    const lines = repeated === 1 ? '1 line is' : `${repeated} lines are`;
    output.error(`${lines} of a path that its layer has twice: the later one counts\n`);
  }
  return count;
}

function element(entry: FileEntry, ordinal: number): string {
  return `${ordinal === 0 ? '[' : ','}\n${JSON.stringify(entry)}`;
}

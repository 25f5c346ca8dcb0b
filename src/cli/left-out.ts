import type { Got } from '../image/files/get.ts';
import { printableName } from '../layer/name.ts';

/** What was not written as the image has it, and why, a line each. */
export function leftOut({ skipped, xattrs }: Pick<Got, 'skipped' | 'xattrs'>): readonly string[] {
  const lines = skipped.map(({ path, why }) => `left out ${printableName(path)}: ${why}`);
  const { files, names } = xattrs;
  if (files === 0) return lines;
  const whose = `${files} ${files === 1 ? 'file' : 'files'}`;
  const which = names.map(printableName).join(', ');
  return [...lines, `extended attributes of ${whose} were left out: ${which}`];
}

/** Lines of ours in somebody else's file stand between these two, so that they can be found again. */
const BEGIN = '# >>> layover setup';
const END = '# <<< layover setup';

/** The lines with the marks around them. */
export function block(lines: readonly string[]): string {
  return `${[BEGIN, ...lines, END].join('\n')}\n`;
}

/** The text without lines of ours. */
export function withoutBlock(text: string): string {
  const kept: string[] = [];
  let ours = false;
  for (const line of text.split('\n')) {
    if (line === BEGIN) ours = true;
    if (!ours) kept.push(line);
    if (line === END) ours = false;
  }
  // A mark without its end is somebody's edit: nothing is taken for ours then.
  return ours ? text : kept.join('\n');
}

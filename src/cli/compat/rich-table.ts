/** A table in the way of Python's rich: its title above the middle, heavy lines around the head. */
export interface RichTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Whether there is a line between rows. */
  readonly lines: 'none' | 'between';
}

export function richTable({ title, head, rows, lines }: RichTable): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const rule = (start: string, fill: string, cross: string, end: string): string =>
    `${start}${widths.map((width) => fill.repeat(width + 2)).join(cross)}${end}\n`;
  const cells = (row: readonly string[], edge: string): string =>
    `${edge}${widths.map((width, column) => ` ${(row[column] ?? '').padEnd(width)} `).join(edge)}${edge}\n`;
  const total = widths.reduce((sum, width) => sum + width + 3, 1);
  const before = Math.max(0, Math.floor((total - title.length) / 2));
  const separator = lines === 'between' ? rule('├', '─', '┼', '┤') : '';
  return [
    `${`${' '.repeat(before)}${title}`.padEnd(total)}\n`,
    rule('┏', '━', '┳', '┓'),
    cells(head, '┃'),
    rule('┡', '━', '╇', '┩'),
    rows.map((row) => cells(row, '│')).join(separator),
    rule('└', '─', '┴', '┘'),
  ].join('');
}

/** Rows as columns of text, two spaces apart; the last column is not padded. Nothing for no rows. */
export function columns(
  rows: readonly (readonly string[])[],
  align: readonly Align[] = [],
): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, index) => {
        const width = widths[index] ?? 0;
        if (align[index] === 'right') return cell.padStart(width);
        return index === row.length - 1 ? cell : cell.padEnd(width);
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

export type Align = 'left' | 'right';

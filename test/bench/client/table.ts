/** One line of the table. */
export interface ClientRow {
  readonly what: string;
  readonly layover: string;
  readonly skopeo?: string;
  readonly crane?: string;
  /** What is aimed at, and whether this run reached it; left out: only reported. */
  readonly target?: { readonly text: string; readonly met: boolean };
}

const HEAD = ['what', 'Layover', 'skopeo', 'crane', 'target', 'met'];
const NONE = '–';

/** The rows as a table in Markdown. */
export function table(rows: readonly ClientRow[]): string {
  const cells = rows.map(({ what, layover, skopeo = NONE, crane = NONE, target }) => [
    what,
    layover,
    skopeo,
    crane,
    target?.text ?? 'reported',
    target === undefined ? '' : target.met ? 'yes' : '**no**',
  ]);
  const lines = [HEAD, HEAD.map(() => '---'), ...cells];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

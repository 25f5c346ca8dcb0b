import type { Row } from './row.ts';

const HEAD = ['what', 'Layover', 'docker-registry', 'nginx', 'ratio', 'target', 'met'];

/** The rows as a table in Markdown. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    row.layover,
    row.dockerRegistry,
    row.nginx,
    row.ratio,
    row.target?.text ?? 'reported',
    row.target === undefined ? '' : row.target.met ? 'yes' : '**no**',
  ]);
  const lines = [HEAD, HEAD.map(() => '---'), ...cells];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

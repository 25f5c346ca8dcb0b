const LINE = /^\s*(?:export\s+)?(?<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?<value>.*?)\s*$/;

/** The variables of a `.env` file, as compose reads it beside a compose file; other lines are passed over. */
export function dotenv(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const { name, value = '' } = LINE.exec(line)?.groups ?? {};
    if (name !== undefined) variables.set(name, valueOf(value));
  }
  return variables;
}

function valueOf(text: string): string {
  const quoted = /^'(?<single>[^']*)'|^"(?<double>(?:[^"\\]|\\.)*)"/.exec(text)?.groups;
  if (quoted?.['single'] !== undefined) return quoted['single'];
  if (quoted?.['double'] !== undefined) return quoted['double'].replaceAll(/\\(.)/g, '$1');
  return text.replace(/(?:^|\s)#.*$/, '').trim();
}

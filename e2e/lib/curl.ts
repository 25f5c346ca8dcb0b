import { readFile } from 'node:fs/promises';
import type { Scratch } from './scratch.ts';
import { attempt, start, type Running } from './process.ts';

export interface Curled {
  readonly status: number;
  /** Lower-case names; repeated ones joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** curl's own: 0 when the answer was complete. */
  readonly exit: number | null;
}

let answers = 0;

/** One curl to its end, whatever comes of it. */
export async function curl(scratch: Scratch, url: string, ...options: string[]): Promise<Curled> {
  answers += 1;
  const [headers, body] = [scratch.at(`headers-${answers}`), scratch.at(`body-${answers}`)];
  const { code } = await attempt('curl', [
    '--silent',
    '--dump-header',
    headers,
    '--output',
    body,
    ...options,
    url,
  ]);
  const [first = '', ...lines] = (await readOr(headers)).toString('latin1').trim().split('\r\n');
  return {
    status: Number(first.split(' ')[1]),
    headers: joined(lines),
    body: await readOr(body),
    exit: code,
  };
}

/** A curl that goes on in the background, its body in a file. */
export async function curling(output: string, url: string): Promise<Running> {
  return start('curl', ['--silent', '--show-error', '--fail', '--output', output, url]);
}

function joined(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

async function readOr(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    // curl creates no file for an answer without a body.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return Buffer.alloc(0);
    throw error;
  });
}

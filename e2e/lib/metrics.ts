import { pull } from './pull.ts';

/** The sum of a metric's samples whose labels include the given ones; 0 where there is none. */
export async function metric(
  url: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { body } = await pull(`${url}/metrics`);
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const line of body.toString().split('\n')) {
    const [, sample, shown = '', value] = /^(\w+)(\{.*\})? (\S+)$/.exec(line) ?? [];
    if (sample === name && wanted.every((one) => shown.includes(one))) sum += Number(value);
  }
  return sum;
}

import { hostPlatform } from '../../../core/platform.ts';

export type OptionName =
  | 'image'
  | 'dest'
  | 'os'
  | 'arch'
  | 'namespace'
  | 'user'
  | 'password'
  | 'token'
  | 'scheme'
  | 'cert'
  | 'key'
  | 'cacert'
  | 'insecure'
  | 'manifest'
  | 'list-tar'
  | 'version'
  | 'help'
  | 'parsed';

interface Rule {
  readonly name: OptionName;
  readonly short?: string;
  readonly long?: readonly string[];
  readonly switch?: true;
  readonly otherwise?: () => string;
}

const RULES: readonly Rule[] = [
  { name: 'image' },
  { name: 'dest' },
  { name: 'os', short: 'o', long: ['os'], otherwise: () => hostPlatform().os },
  { name: 'arch', short: 'a', long: ['arch'], otherwise: () => hostPlatform().architecture },
  { name: 'namespace', short: 'n', long: ['ns'] },
  { name: 'user', short: 'u', long: ['user'] },
  { name: 'password', short: 'p', long: ['password'] },
  { name: 'token', short: 't', long: ['token'] },
  { name: 'scheme', short: 's', long: ['scheme'] },
  { name: 'cert', short: 'c', long: ['cert'] },
  { name: 'key', short: 'k', long: ['key'] },
  { name: 'cacert', short: 'x', long: ['cacert', 'ca'] },
  { name: 'insecure', short: 'i', long: ['insecure'], switch: true },
  { name: 'manifest', short: 'm', long: ['manifest'] },
  { name: 'list-tar', short: 'l', long: ['list-tar'] },
  { name: 'version', short: 'v', long: ['version'], switch: true },
  { name: 'help', short: 'h', long: ['help'], switch: true },
  { name: 'parsed', long: ['parsed'], switch: true },
];

export type Values = ReadonlyMap<OptionName, string>;

/** What a command line asks for. */
export type Asked =
  | { readonly kind: 'version' | 'help' }
  | { readonly kind: 'parsed' | 'run'; readonly values: Values }
  /** It makes no sense; told with the usage. */
  | { readonly kind: 'fault'; readonly message: string };

/**
 * Reads `--foo bar`, `--foo=bar`, `-f bar`, `-fbar` and `-f=bar`. What is no option is the image, then
 * the file, dashes or not. Options that print something and end count as they come.
 */
export function parseLine(line: readonly string[]): Asked {
  const values = new Map<OptionName, string>();
  for (let at = 0; at < line.length; at += 1) {
    const text = line[at] ?? '';
    const found = RULES.map((rule) => match(rule, text, line[at + 1])).find((one) => one);
    if (found === undefined) {
      const place = values.has('image') ? 'dest' : 'image';
      if (values.has(place)) return fault(`unable to parse command line option: ${text}`);
      values.set(place, text);
      continue;
    }
    const { name, value, took } = found;
    if (name === 'version' || name === 'help') return { kind: name };
    if (name === 'parsed') return { kind: name, values };
    if (values.has(name)) return fault(`option was specified more than once: ${name}`);
    values.set(name, value);
    at += took;
  }
  return checked(values);
}

/** In the words of Go, which the original is written in. */
export function describeValues(values: Values): string {
  return RULES.map(({ name, short = '', long = [''], otherwise, switch: isSwitch = false }) => {
    const value = values.get(name) ?? '';
    const usual = otherwise?.() ?? (name === 'scheme' ? 'https' : '');
    const action = name === 'version' || name === 'help' || name === 'parsed' ? name : '<nil>';
    return `${name}: {Name:${name} Short:${short} Long:${long[0] ?? ''} Value:${value} Dflt:${usual} IsSwitch:${isSwitch} Func:${action}}\n`;
  }).join('');
}

interface Match {
  readonly name: OptionName;
  readonly value: string;
  /** How many of the words that follow belong to it. */
  readonly took: 0 | 1;
}

function match(
  { name, short, long = [], switch: isSwitch }: Rule,
  text: string,
  next: string | undefined,
): Match | undefined {
  const flags = [...long.map((word) => `--${word}`), ...(short === undefined ? [] : [`-${short}`])];
  if (flags.includes(text)) {
    if (isSwitch === true) return { name, value: 'true', took: 0 };
    return next === undefined || next === '' ? undefined : { name, value: next, took: 1 };
  }
  const flag = flags.find((one) => text.startsWith(one.length === 2 ? one : `${one}=`));
  if (flag === undefined) return undefined;
  const value = text.slice(flag.length).replace(/^=/, '');
  return value === '' ? undefined : { name, value, took: 0 };
}

function checked(values: Map<OptionName, string>): Asked {
  if (values.has('list-tar')) return { kind: 'run', values };
  const manifest = values.get('manifest')?.toLowerCase();
  if (manifest !== undefined && manifest !== 'image' && manifest !== 'list') {
    return fault(`invalid value "${manifest}" for --manifest arg`);
  }
  if (manifest !== undefined) {
    values.set('manifest', manifest);
    if (!values.has('image')) return fault('command line is missing image reference');
  } else if (!values.has('image') || !values.has('dest')) {
    return fault(
      'command line is missing one or both of image reference and/or tarball to save to',
    );
  }
  for (const { name, otherwise } of RULES) {
    if (otherwise !== undefined && !values.has(name)) values.set(name, otherwise());
  }
  return { kind: 'run', values };
}

function fault(message: string): Asked {
  return { kind: 'fault', message };
}

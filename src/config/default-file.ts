import { leaves, outline, type Key } from './outline.ts';
import { inline } from './show.ts';
import { WELL_KNOWN } from './well-known.ts';

const WIDTH = 100;

const HEAD = [
  "Layover's configuration: every key with its default. A file needs only what differs; a key that is left out or has no value has its default.",
  'Each place wins over the ones before it: defaults, this file, environment variables (LAYOVER_STORAGE_PATH sets storage.path), flags. "layover settings check" tells what is wrong in a file, "layover settings show" what is in effect and why.',
  'While Layover runs, changes of this file are in effect at once, without a restart but for listen, admin.listen, storage.path and whether there is TLS. With a fault in it nothing changes; the log has every one.',
  'Durations: 500ms, 30s, 5m, 1h30m, 7d. Sizes: plain bytes, or 10MiB, 50GiB, 2GB. Paths: from the working folder.',
];

/** The text of config/layover.yaml. */
export function defaultFile(): string {
  const head = HEAD.flatMap((text) => comment(text, ''));
  const blocks = outline().map((key) => inside([key], ''));
  return `${[head, ...blocks].map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** The key without its own comment; keys inside it with theirs. */
function block(key: Key, indent: string): readonly string[] {
  if (key.name === 'upstreams') return upstreams(key);
  if (key.default === undefined) return example(key).map((line) => `${indent}# ${line}`);
  if (key.keys.length === 0) return [`${indent}${key.name}: ${inline(key.default)}`];
  return [`${indent}${key.name}:`, ...inside(key.keys, `${indent}  `)];
}

function inside(keys: readonly Key[], indent: string): readonly string[] {
  return keys.flatMap((key) => comment(key.description, indent).concat(block(key, indent)));
}

/** A key that is not there by default, with a value that shows what it is for. */
function example({ name, example, keys }: Key): readonly string[] {
  if (keys.length === 0 || typeof example !== 'object' || example === null) {
    return [`${name}: ${inline(example ?? '')}`];
  }
  return [
    `${name}:`,
    ...Object.entries(example).flatMap(([inner, value]) => {
      const description = keys.find((key) => key.name === inner)?.description ?? '';
      return comment(description, '  ').concat(`  ${inner}: ${inline(value)}`);
    }),
  ];
}

function upstreams({ name, keys }: Key): readonly string[] {
  return [
    `${name}:`,
    ...Object.keys(WELL_KNOWN).map((known) => `  ${known}: {}`),
    ...comment('Every key of an entry, with its default or an example:', '  '),
    '  # registry.example.com:',
    ...keys.flatMap((key) => entryKey(key)).map((line) => `  #   ${line}`),
  ];
}

function entryKey(key: Key): readonly string[] {
  const about = comment(key.description, '', WIDTH - 6);
  if (key.default === undefined) return [...about, ...example(key)];
  if (leaves([key]).every((leaf) => leaf.default === undefined))
    return [...about, `${key.name}: {}`];
  return [...about, ...block(key, '')];
}

function comment(text: string, indent: string, width = WIDTH): readonly string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return text === '' ? [] : [...lines, line];
}

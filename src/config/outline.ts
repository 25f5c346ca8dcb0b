import { jsonSchema } from './schema.ts';
import { isRecord } from './tree.ts';

/** One key of the schema, as references, examples and the environment need to know it. */
export interface Key {
  /** `NAME` stands for the name of an upstream. */
  readonly path: readonly string[];
  readonly name: string;
  readonly description: string;
  /** What a value is: `duration`, `true or false`, `serve-stale or fail`; `section` when it has keys of its own. */
  readonly type: string;
  /** How the environment's text becomes a value. */
  readonly shape: 'boolean' | 'number' | 'text' | 'list' | 'other';
  /** As people write it; `undefined` when leaving the key out means something that no value says. */
  readonly default: unknown;
  /** For a key without a default: a value that shows what it is for. */
  readonly example: unknown;
  readonly keys: readonly Key[];
  /** Those of each entry, where the value is a list of mappings. */
  readonly entries: readonly Key[];
}

/** Stands for the name of an upstream in `Key.path`. */
export const NAME = 'NAME';

/** The top-level keys in the schema's order. */
export function outline(): readonly Key[] {
  return keysOf(jsonSchema(), []);
}

/** Every key that holds a value, not keys of its own. */
export function leaves(keys: readonly Key[]): readonly Key[] {
  return keys.flatMap((key) => (key.keys.length === 0 ? [key] : leaves(key.keys)));
}

type Schema = Readonly<Record<string, unknown>>;

function keysOf(schema: Schema, path: readonly string[]): readonly Key[] {
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  return Object.entries(properties).flatMap(([name, property]) =>
    isRecord(property) ? [keyOf(name, property, [...path, name])] : [],
  );
}

function keyOf(name: string, schema: Schema, path: readonly string[]): Key {
  const named = alternatives(schema['additionalProperties']).find((one) =>
    isRecord(one['properties']),
  );
  const keys = named === undefined ? keysOf(schema, path) : keysOf(named, [...path, NAME]);
  const examples = Array.isArray(schema['examples']) ? schema['examples'] : [];
  return {
    path,
    name,
    description: typeof schema['description'] === 'string' ? schema['description'] : '',
    type: keys.length > 0 ? 'section' : typeOf(schema),
    shape: shapeOf(schema),
    default: schema['default'],
    example: examples[0],
    keys,
    entries: isRecord(schema['items']) ? keysOf(schema['items'], []) : [],
  };
}

function alternatives(schema: unknown): readonly Schema[] {
  if (!isRecord(schema)) return [];
  return Array.isArray(schema['anyOf']) ? schema['anyOf'].filter(isRecord) : [schema];
}

function typeOf(schema: Schema): string {
  if (Array.isArray(schema['enum']))
    return schema['enum'].join(', ').replace(/, ([^,]*)$/, ' or $1');
  if (typeof schema['title'] === 'string') return schema['title'];
  switch (schema['type']) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return 'whole number';
    case 'array': {
      const items = isRecord(schema['items']) ? schema['items'] : {};
      if (items['type'] === 'object') return 'list of entries';
      return `list of ${typeOf(items)}`;
    }
    case 'object':
      return 'names and values';
    default:
      return typeof schema['type'] === 'string' && schema['type'] !== 'string'
        ? schema['type']
        : 'text';
  }
}

function shapeOf(schema: Schema): Key['shape'] {
  switch (schema['type']) {
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return 'list';
    case 'object':
      return 'other';
    default:
      return 'text';
  }
}

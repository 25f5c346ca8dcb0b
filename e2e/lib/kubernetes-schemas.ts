import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { kitFolder, missingKit } from './tool.ts';

type Schema = Readonly<Record<string, unknown>>;

const KUBERNETES = 'schema-kubernetes';
const RESOURCES = ['schema-gateway', 'schema-servicemonitor', 'schema-prometheusrule'];

/** Why the schemas cannot be had; `undefined` where they are there. */
export function missingSchemas(): string | undefined {
  return [KUBERNETES, ...RESOURCES].map(missingKit).find((missing) => missing !== undefined);
}

/**
 * Writes the schemas of Kubernetes' own kinds, and of the custom ones that the chart uses, as kubeconform
 * wants them. A key that no schema knows is a fault. Returns what `-schema-location` is to be.
 */
export async function kubernetesSchemas(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await ownKinds(folder);
  for (const kit of RESOURCES) await customKinds(folder, kit);
  return join(folder, '{{.ResourceKind}}{{.KindSuffix}}.json');
}

interface Swagger {
  readonly definitions: Readonly<Record<string, Schema>>;
}

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

async function ownKinds(folder: string): Promise<void> {
  const text = await readFile(join(kitFolder(KUBERNETES), 'file'), 'utf8');
  const { definitions } = JSON.parse(text) as Swagger;
  for (const [name, definition] of Object.entries(definitions)) {
    const kinds = (definition['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[];
    const [only] = kinds;
    if (only === undefined || kinds.length > 1) continue;
    const needed = new Set<string>();
    follow(name, definitions, needed);
    const reached = [...needed].map((one) => [one, relaxed(one, definitions[one] ?? {})] as const);
    const schema = {
      $ref: `#/definitions/${name}`,
      definitions: Object.fromEntries(reached.map(([one, made]) => [one, strict(made)])),
    };
    await writeFile(join(folder, fileOf(only)), JSON.stringify(schema));
  }
}

/** The definitions that a definition leads to, with itself. */
function follow(name: string, definitions: Swagger['definitions'], needed: Set<string>): void {
  if (needed.has(name)) return;
  needed.add(name);
  const text = JSON.stringify(definitions[name] ?? {});
  for (const [, next = ''] of text.matchAll(/"#\/definitions\/([^"]+)"/g)) {
    follow(next, definitions, needed);
  }
}

/** Swagger cannot say that these may be numbers, too. */
function relaxed(name: string, schema: Schema): Schema {
  return /\.(IntOrString|Quantity)$/.test(name) ? { type: ['string', 'number'] } : schema;
}

interface Resource {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

async function customKinds(folder: string, kit: string): Promise<void> {
  const text = await readFile(join(kitFolder(kit), 'file'), 'utf8');
  const { spec } = parse(text) as Resource;
  for (const { name: version, schema } of spec.versions) {
    const file = fileOf({ group: spec.group, version, kind: spec.names.kind });
    await writeFile(join(folder, file), JSON.stringify(strict(schema.openAPIV3Schema)));
  }
}

/** As kubeconform makes the name from a kind and its version. */
function fileOf({ group, version, kind }: GroupVersionKind): string {
  const first = group.split('.')[0] ?? '';
  return `${[kind, ...(first === '' ? [] : [first]), version].join('-').toLowerCase()}.json`;
}

function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const made: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) made[key] = strict(value);
  const closed =
    typeof made['properties'] === 'object' &&
    !('additionalProperties' in made) &&
    made['x-kubernetes-preserve-unknown-fields'] !== true &&
    made['type'] === 'object';
  return closed ? { ...made, additionalProperties: false } : made;
}

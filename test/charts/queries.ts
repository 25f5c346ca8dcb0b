import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const file = (name: string): string =>
  readFileSync(new URL(`../../charts/layover/files/${name}`, import.meta.url), 'utf8');

/** A query of a rule or a panel, with the names of the labels that its text shows. */
export interface Query {
  readonly where: string;
  readonly text: string;
  /** Labels that a legend or a summary prints. */
  readonly printed: readonly string[];
}

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Target {
  readonly expr?: string;
  readonly legendFormat?: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly Target[];
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
}

export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
}

export function rules(): readonly Rule[] {
  const { groups } = parse(file('rules.yaml')) as { groups: readonly { rules: readonly Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

export const dashboard = (): Dashboard => JSON.parse(file('dashboard.json')) as Dashboard;

export function queries(): readonly Query[] {
  const { panels, templating, annotations } = dashboard();
  return [
    ...rules().map(({ alert, record, expr, annotations: shown = {} }) => ({
      where: alert ?? record ?? '',
      text: expr,
      printed: Object.values(shown).flatMap((text) => names(text, /\$labels\.(\w+)/g)),
    })),
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr = '', legendFormat = '' }) => ({
        where: `panel ${title}`,
        text: expr,
        printed: names(legendFormat, /\{\{(\w+)\}\}/g),
      })),
    ),
    ...templating.list.flatMap(({ name, definition }) =>
      definition === undefined
        ? []
        : [{ where: `variable ${name}`, text: definition, printed: [] }],
    ),
    ...annotations.list.map(({ expr = '' }) => ({ where: 'annotation', text: expr, printed: [] })),
  ];
}

const names = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name = '']) => name);

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

/** A metric that a query reads, with what it asks of the labels. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

const METRIC = /\b((?:layover|nodejs|process)_\w+|layover:[\w:]+|up)\b(?:\{([^}]*)\})?/g;

export function selectorsIn(text: string): readonly Selector[] {
  return [...text.matchAll(METRIC)].map(([, metric = '', inside = '']) => ({
    metric,
    matchers: [...inside.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
      ([, label = '', operator = '', value = '']) => ({ label, operator, value }),
    ),
  }));
}

/** Labels of `by (…)`, `on (…)` and of variables. */
export function groupedIn(text: string): readonly string[] {
  const lists = names(text, /\b(?:by|on) ?\(([^)]*)\)/g).flatMap((list) => list.split(/,\s*/));
  return [...lists, ...names(text, /^label_values\(.*, (\w+)\)$/g)];
}

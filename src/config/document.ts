import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type Pair,
  type ErrorCode,
} from 'yaml';
import type { Fault, Origin } from './fault.ts';
import { keyOf, placeOf, type Path, type Places, type Tree } from './tree.ts';

export interface Read {
  /** `undefined`: the text is no YAML, or no mapping, so nothing is known of what it means to say. */
  readonly tree: Tree | undefined;
  readonly faults: readonly Fault[];
}

/** Reads YAML 1.2 text; `file` is only named in faults and origins. */
export function readDocument(text: string, file: string): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // The walk reports a key that is there twice itself, with its path and both lines.
    uniqueKeys: false,
  });
  const place = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return { kind: 'file', file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const errors = [...document.errors, ...document.warnings];
  if (errors.length > 0) {
    const faults = errors.map((error) => ({
      origin: place(error.pos[0]),
      key: '',
      message: MESSAGES[error.code] ?? `not YAML: ${error.message}`,
    }));
    return { tree: undefined, faults };
  }
  return new Walk(document, place).read();
}

/** What people run into most, in words that help; the parser says the rest. */
const MESSAGES: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: 'a tab; YAML is indented with spaces',
  MULTIPLE_DOCS: 'a second document begins here; a configuration is one document',
  BLOCK_AS_IMPLICIT_KEY:
    'a second ": " on one line; put the value into quotes or on lines of its own',
  BAD_SCALAR_START: 'a value that begins with @ or a backtick; put it into quotes',
  TAG_RESOLVE_FAILED: 'a tag that means nothing here; write the plain value',
  UNEXPECTED_TOKEN: 'text that belongs to nothing; values with [ ] { } or # need quotes',
};

/** Values that aliases may stand for in all: a few lines of them can mean more than fits any memory. */
const MOST_ALIASED = 10_000;

/** Turns nodes into plain values and notes where each was. */
class Walk {
  readonly #document: Document.Parsed;
  readonly #place: (offset: number) => Origin;
  readonly #origins = new Map<string, Places>();
  readonly #faults: Fault[] = [];
  /** The collections that are being walked, so that an alias to one of them ends. */
  readonly #open = new Set<unknown>();
  /** Aliases that are being followed, and the values found behind all so far. */
  #following = 0;
  #aliased = 0;

  constructor(document: Document.Parsed, place: (offset: number) => Origin) {
    this.#document = document;
    this.#place = place;
  }

  read(): Read {
    const root = this.#document.contents;
    const empty = root === null || (isScalar(root) && root.value === null);
    if (!empty && !isMap(root)) {
      this.#fault(root, [], 'not a mapping; a configuration is keys and values');
      return { tree: undefined, faults: this.#faults };
    }
    const value = isMap(root) ? this.#map(root.items, []) : {};
    return { tree: { value, origins: this.#origins }, faults: this.#faults };
  }

  #value(node: unknown, path: Path): unknown {
    if (isScalar(node)) return node.value === null ? undefined : node.value;
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined) {
        return this.#fault(node, path, `no &${node.source} comes before *${node.source}`);
      }
      if (this.#open.has(target)) return this.#fault(node, path, 'an alias to what it is part of');
      return this.#behind(node, target, path);
    }
    if (!isMap(node) && !isSeq(node)) return undefined;
    this.#open.add(node);
    try {
      return isMap(node) ? this.#map(node.items, path) : this.#list(node.items, path);
    } finally {
      this.#open.delete(node);
    }
  }

  #behind(alias: unknown, target: unknown, path: Path): unknown {
    if (this.#aliased > MOST_ALIASED) return undefined;
    this.#following += 1;
    try {
      return this.#value(target, path);
    } finally {
      this.#following -= 1;
      if (this.#following === 0 && this.#aliased > MOST_ALIASED) {
        this.#fault(alias, path, `aliases stand for more than ${MOST_ALIASED} values`);
      }
    }
  }

  #map(items: readonly Pair[], path: Path): Readonly<Record<string, unknown>> {
    const entries = items.flatMap((pair) => {
      if (!isScalar(pair.key)) {
        this.#fault(pair.key, path, 'a key that is no plain text');
        return [];
      }
      const at = [...path, String(pair.key.value)];
      const first = this.#origins.get(placeOf(at))?.key;
      if (first?.kind === 'file') {
        this.#fault(pair.key, at, `is there twice, first on line ${first.line}`);
        return [];
      }
      this.#note(at, pair.key, pair.value);
      return [[String(pair.key.value), this.#value(pair.value, at)] as const];
    });
    return Object.fromEntries(entries);
  }

  #list(items: readonly unknown[], path: Path): readonly unknown[] {
    return items.map((item, index) => {
      const at = [...path, index];
      this.#note(at, item, item);
      return this.#value(item, at);
    });
  }

  #note(path: Path, key: unknown, value: unknown): void {
    if (this.#following > 0) this.#aliased += 1;
    const keyPlace = this.#place(offsetOf(key) ?? 0);
    const offset = offsetOf(value);
    const valuePlace = offset === undefined ? keyPlace : this.#place(offset);
    this.#origins.set(placeOf(path), { key: keyPlace, value: valuePlace });
  }

  #fault(node: unknown, path: Path, message: string): undefined {
    this.#faults.push({ origin: this.#place(offsetOf(node) ?? 0), key: keyOf(path), message });
    return undefined;
  }
}

/** Where a node begins in the text; `undefined` for one that is not written (a key without a value). */
function offsetOf(node: unknown): number | undefined {
  const range = (node as Node | null | undefined)?.range;
  return range === undefined || range === null || range[0] === range[1] ? undefined : range[0];
}

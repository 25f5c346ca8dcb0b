/** A part of a document that can be read by itself, and where that is in it. */
export interface Piece {
  readonly text: string;
  readonly offset: number;
  /** What comes before every path in it. */
  readonly path: string;
  /** The kind of objects in it that state none. */
  readonly itemKind?: string | undefined;
}

/** Of the items of a list that has a kind, which need not state it: `Pod` of a `PodList`. */
export function itemKindOf(list: string | undefined): string | undefined {
  return /^(.+)List$/.exec(list ?? '')?.[1];
}

/**
 * The items of a large `List`, as kubectl writes it in YAML or JSON, each a document by itself: reading
 * takes many times as much memory as the text. Anything else is one piece.
 */
export function piecesOf(text: string): readonly Piece[] {
  const found = /^\s*\{/.test(text) ? inJson(text) : inYaml(text);
  return found.length === 0 ? [{ text, offset: 0, path: '' }] : found;
}

/** Items begin with a dash at the very left, which nothing within them can have. */
function inYaml(text: string): readonly Piece[] {
  const head = /^items:[ \t]*\r?\n(?=- )/m.exec(text);
  if (head === null) return [];
  const first = head.index + head[0].length;
  const starts = [...text.slice(first).matchAll(/^(?:- |(?=[^\s#-]))/gm)];
  const pieces: Piece[] = [{ text: text.slice(0, head.index), offset: 0, path: '' }];
  const itemKind = itemKindOf(/^kind:[ \t]*["']?(\w+)/m.exec(text)?.[1]);
  let item = 0;
  for (const [index, { 0: dash, index: at }] of starts.entries()) {
    const offset = first + at;
    const next = starts[index + 1]?.index;
    const end = next === undefined ? text.length : first + next;
    // What follows the items is other keys, to the end.
    if (dash === '') return [...pieces, { text: text.slice(offset), offset, path: '' }];
    const path = `items[${item}]`;
    item += 1;
    pieces.push({ text: `  ${text.slice(offset + dash.length, end)}`, offset, path, itemKind });
  }
  return pieces;
}

/** The elements of the array under the top's `items`, which is all that such a list has. */
function inJson(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let depth = 0;
  let start = -1;
  let [key, kind] = ['', ''];
  let place: 'before' | 'inside' | 'behind' = 'before';
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at] ?? '') {
      case '"': {
        const end = closing(text, at);
        if (depth === 1) {
          const word = text.slice(at + 1, end);
          // A value stands behind its key.
          if (key === 'kind' && /:\s*$/.test(text.slice(Math.max(0, at - 9), at))) kind = word;
          key = word;
        }
        at = end;
        break;
      }
      case '{':
      case '[':
        depth += 1;
        if (depth === 2 && key === 'items' && place === 'before' && text[at] === '[')
          place = 'inside';
        else if (depth === 3 && place === 'inside') start = at;
        break;
      case '}':
      case ']':
        depth -= 1;
        if (depth === 2 && place === 'inside' && start !== -1) {
          const path = `items[${pieces.length}]`;
          pieces.push({ text: text.slice(start, at + 1), offset: start, path });
          start = -1;
        } else if (depth === 1 && place === 'inside') {
          place = 'behind';
        }
    }
  }
  const itemKind = itemKindOf(kind);
  return place === 'behind'
    ? pieces.map(({ text: one, offset, path }) => ({ text: one, offset, path, itemKind }))
    : [];
}

/** The quote that ends the text which begins at `at`. */
function closing(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  for (; end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

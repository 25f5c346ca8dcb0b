import { LineCounter, parseDocument, type Document, type ParsedNode } from 'yaml';
import { piecesOf, type Piece } from './items.ts';
import { UNRENDERED } from './judge.ts';

/** One YAML or JSON document of a file, or what keeps it from being read. */
export type Part =
  | {
      readonly kind: 'document';
      readonly offset: number;
      readonly root: ParsedNode;
      /** What comes before every path in it. */
      readonly path: string;
      /** The kind of objects in it that state none. */
      readonly itemKind: string | undefined;
    }
  | { readonly kind: 'unreadable'; readonly offset: number; readonly reason: string };

/** Characters that are read at once; what is read of them takes about a hundred times as much memory. */
export const LARGEST_DOCUMENT = 2 * 1024 * 1024;

/** Characters from which on a document is taken apart first. */
const LARGE = 64 * 1024;

/** Anything but comments and directives. */
const CONTENT = /^[ \t]*[^\s#%]/m;

/** The first of a line, if not in a comment. */
const BRACES = /^[^#\n{]*(?:\{(?!\{)[^#\n{]*)*\{\{/gm;

const MARKER = /^(?:---(?=[ \t\r\n]|$)|\.\.\.[ \t]*$)/gm;

/** The documents of a file, one at a time: one that cannot be read keeps no other from it. */
export function* documentsOf(text: string): Generator<Part> {
  for (const { offset, end } of spans(text)) {
    const part = text.slice(offset, end);
    if (!CONTENT.test(part)) continue;
    const whole = { text: part, offset: 0, path: '' };
    const pieces = part.length > LARGE ? piecesOf(part) : [whole];
    for (const piece of pieces) {
      if (CONTENT.test(piece.text)) yield read(piece, offset + piece.offset);
    }
  }
}

function read({ text, path, itemKind }: Piece, offset: number): Part {
  if (text.length > LARGEST_DOCUMENT) {
    const reason = `${text.length} characters in one object, more than ${LARGEST_DOCUMENT}: divide it`;
    return { kind: 'unreadable', offset, reason };
  }
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: new LineCounter(),
      prettyErrors: false,
      logLevel: 'silent',
      uniqueKeys: false,
      strict: false,
      keepSourceTokens: false,
    });
  } catch (error) {
    // What is nested a hundred thousand deep.
    if (!(error instanceof RangeError)) throw error;
    return { kind: 'unreadable', offset, reason: 'it is nested too deeply' };
  }
  const [fault] = document.errors;
  if (fault !== undefined) {
    const [at] = fault.pos;
    const braces = bracesIn(text, at);
    return {
      kind: 'unreadable',
      offset: offset + (braces ?? at),
      reason: braces === undefined ? `not YAML: ${fault.message}` : UNRENDERED,
    };
  }
  const { contents } = document;
  if (contents === null) return { kind: 'unreadable', offset, reason: 'not YAML' };
  return { kind: 'document', offset, root: contents, path, itemKind };
}

/** Where a template has its braces: those on the line of the fault, or the first, or none. */
function bracesIn(text: string, fault: number): number | undefined {
  const start = text.lastIndexOf('\n', Math.max(0, fault - 1)) + 1;
  const offsets = [...text.matchAll(BRACES)].map(({ index, 0: { length } }) => index + length - 2);
  return offsets.find((offset) => offset >= start) ?? offsets[0];
}

/** What is between the markers; the one in front of a document may be followed by its content. */
function* spans(text: string): Generator<{ readonly offset: number; readonly end: number }> {
  let offset = 0;
  for (const { index, 0: marker } of text.matchAll(MARKER)) {
    yield { offset, end: index };
    offset = index + marker.length;
  }
  yield { offset, end: text.length };
}

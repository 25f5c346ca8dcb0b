import { findInCompose, isComposeFile } from './compose-file.ts';
import { documentsOf } from './documents.ts';
import type { Finding, Followed, Judgement, Place } from './finding.ts';
import type { Variables } from './interpolate.ts';
import { unusable } from './judge.ts';
import { isList, readList } from './list.ts';
import { findInObjects } from './objects.ts';

export interface FindOptions {
  /** For the findings; its ending tells a list (`.txt`, `.list`) from YAML and JSON, where it tells. */
  readonly file: string;
  readonly text: string;
  /** What compose files leave to the environment. */
  readonly variables: Variables;
  /** Told of files that this one takes images from, and where it says so. */
  readonly follow?: (followed: Followed, place: Place) => void;
  /** The only service of a compose file that counts; every one if left out. */
  readonly service?: string | undefined;
}

/** Characters of a file, and what may be found in it. */
export const LARGEST_FILE = 64 * 1024 * 1024;
const MOST_FINDINGS = 20_000;
const LONGEST_PATH = 500;

/**
 * The images that a file names, in their order: a list, Kubernetes manifests, compose files, values of
 * Helm and what it renders, in any mixture of YAML documents. Nothing that looks like an image is dropped.
 */
export function findImages(options: FindOptions): readonly Finding[] {
  return [...findByDocument(options)].flat();
}

/** The same, document by document: between them others may have their turn. */
export function* findByDocument(options: FindOptions): Generator<Finding[]> {
  const { file, text, variables, follow, service } = options;
  const lines = lineCounter(text);
  let [found, findings]: [number, Finding[]] = [0, []];
  const add = (offset: number, path: string, judgement: Judgement): void => {
    found += 1;
    if (found > MOST_FINDINGS + 1) return;
    const full = found > MOST_FINDINGS;
    const told = full
      ? unusable('', `more than ${MOST_FINDINGS} images: divide the file`)
      : judgement;
    findings.push({ ...placeOf(offset, path), ...told });
  };
  const placeOf = (offset: number, path: string): Place => {
    return { file, line: lines(offset), path: shortened(path) };
  };
  if (text.length > LARGEST_FILE) {
    const reason = `the file has ${text.length} characters, more than ${LARGEST_FILE}: divide it`;
    add(0, '', unusable('', reason));
  } else if (
    /\.(?:txt|list|lst)$/i.test(file) ||
    (!/\.(?:ya?ml|json)$/i.test(file) && isList(text))
  ) {
    readList(text, add);
  } else {
    for (const part of documentsOf(withoutNotes(text))) {
      const { offset } = part;
      const report = (at: number, path: string, judgement: Judgement): void =>
        add(offset + at, path, judgement);
      if (part.kind === 'unreadable') add(offset, '', unusable('', part.reason));
      else if (isComposeFile(part.root)) {
        findInCompose(part.root, {
          variables,
          report,
          service,
          ...(follow && {
            follow: (at, path, followed) => follow(followed, placeOf(offset + at, path)),
          }),
        });
      } else findInObjects(part.root, report, part);
      yield findings;
      findings = [];
    }
  }
  yield findings;
}

/** Keys may be as long as the file. */
function shortened(path: string): string {
  return path.length > LONGEST_PATH ? `…${path.slice(-LONGEST_PATH)}` : path;
}

const FROM_HELM = /^(?:# Source: |MANIFEST:\s*$)/m;

/** Helm ends what it renders with words for people, which are no YAML. */
function withoutNotes(text: string): string {
  if (!FROM_HELM.test(text)) return text;
  const notes = /^NOTES:[ \t]*\r?$/m.exec(text);
  return notes === null ? text : text.slice(0, notes.index);
}

/** The line of an offset, counted from 1; offsets come almost in order. */
function lineCounter(text: string): (offset: number) => number {
  // The start of a line, and its number.
  let [at, line] = [0, 1];
  return (offset) => {
    while (offset < at) {
      at = at < 2 ? 0 : text.lastIndexOf('\n', at - 2) + 1;
      line -= 1;
    }
    for (let next = text.indexOf('\n', at); next !== -1 && next < offset;) {
      line += 1;
      at = next + 1;
      next = text.indexOf('\n', at);
    }
    return line;
  };
}

import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import type { Report } from './finding.ts';
import { itemKindOf } from './items.ts';
import { isLikely, judge, unusable, UNRENDERED } from './judge.ts';
import { Anchors, at, asNode, isText, keyOf, offsetOf, textOf } from './tree.ts';

/** How deep objects are looked into. */
const DEEPEST = 128;

/** Objects that hold no images: definitions of fields called image, secrets, which nobody shows, and plain data. */
const PASSED_OVER = new Set(['CustomResourceDefinition', 'Secret', 'ConfigMap']);

/** Keys of objects that say what was, or something of the object, not what is wanted. */
const NOT_WANTED = new Set(['metadata', 'status']);

/** Keys whose value may be an image, and may be something else. */
const MAYBE = /(?:[a-z0-9]Image|[-_./]image|^imageName|[a-z0-9]ImageName)$/;

/**
 * Finds images in Kubernetes objects and in Helm's values. Under `image` stands one wherever that is:
 * in containers of every kind, in image volumes (`reference`), in custom resources; as text, or divided
 * into `registry`, `repository`, `tag` and `digest`. Under keys that end in `Image`, in `images`, and in
 * variables called `RELATED_IMAGE_…` only what cannot be much else is taken.
 */
export function findInObjects(root: Node, report: Report, { path, itemKind }: Within): void {
  new Walk(report).node(root, path, 0, itemKind);
}

/** What the objects are a part of. */
export interface Within {
  /** What comes before every path in them. */
  readonly path: string;
  /** Of objects that state none: that of the typed list that they are in. */
  readonly itemKind?: string | undefined;
}

class Walk {
  readonly #report: Report;
  readonly #anchors = new Anchors();

  constructor(report: Report) {
    this.#report = report;
  }

  /** `kind`: of objects in it that state none. */
  node(node: Node, path: string, depth: number, kind?: string): void {
    this.#anchors.note(node);
    if (depth > DEEPEST) {
      this.#report(offsetOf(node), path, unusable('', `nested more than ${DEEPEST} deep`));
    } else if (isMap(node)) {
      this.#map(node, path, depth, kind);
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        const inner = asNode(item);
        if (inner === undefined) continue;
        // A file may hold nothing but a list of names.
        if (path === '' && isScalar(inner)) this.#text(inner, `[${index}]`, 'surely');
        else this.node(inner, `${path}[${index}]`, depth + 1, kind);
      }
    }
  }

  #map(map: YAMLMap, path: string, depth: number, within: string | undefined): void {
    const stated = textOf(at(map, 'kind'));
    const kind = stated ?? within;
    if (kind !== undefined && PASSED_OVER.has(kind)) return this.#anchors.noteAll(map);
    const items = isSeq(at(map, 'items')) ? itemKindOf(stated) : undefined;
    const versioned = stated !== undefined && textOf(at(map, 'apiVersion')) !== undefined;
    const isObject =
      versioned || (stated === undefined && within !== undefined) || items !== undefined;
    const inParts = this.#parts(map, path);
    const related = textOf(at(map, 'name'))?.startsWith('RELATED_IMAGE') === true;
    for (const { key, value } of map.items) {
      const [name, node] = [keyOf(key), asNode(value)];
      if (name === undefined || node === undefined) continue;
      const below = path === '' ? name : `${path}.${name}`;
      const target = asNode(this.#anchors.resolve(node));
      if ((isObject && NOT_WANTED.has(name)) || name === 'managedFields') {
        this.#anchors.noteAll(node);
      } else if (inParts && isScalar(target)) {
        this.#anchors.note(node);
      } else if (name === 'image' && !isMap(target) && !isSeq(target)) {
        this.#anchors.note(node);
        this.#text(node, below, 'surely');
      } else if (isScalar(target)) {
        this.#anchors.note(node);
        if (MAYBE.test(name) || (related && name === 'value')) this.#text(node, below, 'maybe');
      } else if (name === 'image' && isMap(target) && isMap(target.items[0]?.key)) {
        this.#anchors.noteAll(node);
        this.#report(offsetOf(node), below, unusable('', UNRENDERED));
      } else if (name === 'images' && isSeq(node)) {
        this.#list(node, below, depth + 1);
      } else {
        this.node(node, below, depth + 1, name === 'items' ? items : undefined);
      }
    }
  }

  /** `images: [a, b]`, and what kustomize puts in place of the names in its resources. */
  #list(list: Node, path: string, depth: number): void {
    this.#anchors.note(list);
    if (!isSeq(list)) return;
    for (const [index, item] of list.items.entries()) {
      const inner = asNode(item);
      if (isScalar(inner)) this.#text(inner, `${path}[${index}]`, 'maybe');
      else if (inner !== undefined) this.node(inner, `${path}[${index}]`, depth + 1);
    }
  }

  #text(node: Node, path: string, sure: 'surely' | 'maybe'): void {
    const target = this.#anchors.resolve(node);
    const text = textOf(target);
    if (sure === 'maybe' && !isLikely(text ?? '')) return;
    if (text === undefined) {
      this.#report(offsetOf(node), path, unusable('', 'what the alias stands for is not known'));
    } else if (isScalar(target) && !isText(target)) {
      this.#report(offsetOf(node), path, unusable(text, 'not the name of an image'));
    } else {
      this.#report(offsetOf(node), path, judge(text));
    }
  }

  /** Whether the object is an image in parts; then it has been reported. */
  #parts(map: YAMLMap, path: string): boolean {
    const text = (key: string) => textOf(this.#anchors.resolve(at(map, key)));
    const has = (...keys: readonly string[]) => keys.some((key) => at(map, key) !== undefined);
    const last = path.slice(path.lastIndexOf('.') + 1);
    const isImage = /^image$|[a-z0-9]Image$/.test(last);
    const tell = (written: string, where: string): true => {
      const node = at(map, where);
      this.#report(offsetOf(node ?? map), path === '' ? where : `${path}.${where}`, judge(written));
      return true;
    };
    const reference = text('reference');
    if (isImage && reference !== undefined) return tell(reference, 'reference');
    // Pipelines say it so: a name with everything in it, beside an entry point.
    if (isImage && !has('tag', 'digest') && isLikely(text('name') ?? '')) {
      return tell(text('name') ?? '', 'name');
    }
    if (/(?:^|\.)images\[\d+\]$/.test(path) && has('newName', 'newTag') && has('name')) {
      return tell(whole(text('newName') ?? text('name'), text('newTag'), text('digest')), 'name');
    }
    const named =
      text('repository') ?? (isImage && has('tag', 'digest') ? text('name') : undefined);
    if (named === undefined || named.includes('://') || !(isImage || has('tag', 'digest'))) {
      return false;
    }
    const where = text('repository') === undefined ? 'name' : 'repository';
    const [registry, tag, digest] = [text('registry'), text('tag'), text('digest') ?? text('sha')];
    if (!tag && !digest) {
      const reason =
        'it states no tag, which its chart then decides: "helm template" tells the whole name';
      const node = at(map, where);
      this.#report(offsetOf(node ?? map), path, { kind: 'skipped', reason });
      return true;
    }
    return tell(whole(registry ? `${registry}/${named}` : named, tag, digest), where);
  }
}

function whole(name = '', tag: string | undefined, digest: string | undefined): string {
  if (digest) return `${name}@${digest.includes(':') ? digest : `sha256:${digest}`}`;
  return tag ? `${name}:${tag}` : name;
}

import type { Blob } from './source.ts';

/** The same content with some members replaced. Blobs may be instances of classes: a spread would lose half of one. */
export function rewrap(blob: Blob, changes: Partial<Blob>): Blob {
  const pour = blob.pour?.bind(blob);
  return {
    size: blob.size,
    span: blob.span,
    body: blob.body,
    ...(pour && { pour }),
    ...(blob.local !== undefined && { local: blob.local }),
    ...(blob.shared && { shared: blob.shared }),
    ...(blob.served && { served: blob.served }),
    [Symbol.asyncDispose]: () => blob[Symbol.asyncDispose](),
    ...changes,
  };
}

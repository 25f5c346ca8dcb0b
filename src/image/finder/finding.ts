/** Where in a file something was found. */
export interface Place {
  /** As it was named; `-` for standard input. */
  readonly file: string;
  readonly line: number;
  /** `spec.containers[0].image`; empty in a list. */
  readonly path: string;
}

/**
 * What was found in a file: an image by its whole name, something that names one and was passed over on
 * purpose, or something that looks like one and cannot be used.
 */
export type Finding = Place &
  (
    | { readonly kind: 'image'; readonly image: string; readonly written: string }
    | { readonly kind: 'skipped'; readonly reason: string }
    | { readonly kind: 'unusable'; readonly written: string; readonly reason: string }
  );

/** What a finding says apart from its place. */
export type Judgement =
  | { readonly kind: 'image'; readonly image: string; readonly written: string }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'unusable'; readonly written: string; readonly reason: string };

/** Told of what a walk comes upon; `offset` counts characters from the start of the text. */
export type Report = (offset: number, path: string, judgement: Judgement) => void;

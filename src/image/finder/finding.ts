/** Where in a file something was found. */
export interface Place {
  /** As it was named; `-` for standard input. */
  readonly file: string;
  /** From 1; 0 for all of it. */
  readonly line: number;
  /** `spec.containers[0].image`; empty in a list. */
  readonly path: string;
}

/**
 * What was found in a file: an image by its whole name, something that names one and was passed over on
 * purpose, or something that looks like one and cannot be used.
 */
export type Finding = Place & Judgement;

/** What a finding says apart from its place. */
export type Judgement =
  | {
      readonly kind: 'image';
      readonly image: string;
      readonly written: string;
      /** Whoever names it builds it as well: no registry need have it. */
      readonly built?: true;
    }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'unusable'; readonly written: string; readonly reason: string };

/** A file that another takes images from. */
export interface Followed {
  /** As it was named there: relative to the folder of that file. */
  readonly file: string;
  /** The only service of it that counts; every one if left out. */
  readonly service?: string | undefined;
}

/** Told of files that are to be looked into as well; otherwise as `Report`. */
export type Follow = (offset: number, path: string, followed: Followed) => void;

/** Told of what a walk comes upon; `offset` counts characters from the start of the text. */
export type Report = (offset: number, path: string, judgement: Judgement) => void;

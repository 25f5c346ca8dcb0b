import type { Imported } from './import.ts';

/** What becomes of imports, to whoever watches all of them. */
export type ImportEvent =
  | { readonly type: 'begun'; readonly name: string }
  /** More bytes of the archive have been read; so many by now. */
  | {
      readonly type: 'read';
      readonly name: string;
      readonly bytes: number;
      readonly total: number;
    }
  | {
      readonly type: 'imported';
      readonly name: string;
      readonly imported: Imported;
      readonly seconds: number;
    }
  /** Nothing of it is visible. `interrupted`: whoever sent it has left, or the server ends. */
  | {
      readonly type: 'ended';
      readonly name: string;
      readonly result: 'refused' | 'interrupted';
      readonly error: Error;
    };

import { RegistryError } from '../core/errors.ts';
import type { UploadFile } from '../store/upload-file.ts';
import type { Piece } from './hosted.ts';

export interface TakeOptions {
  readonly file: UploadFile;
  readonly piece: Piece;
  /** Bytes that may still be added. */
  readonly room: number;
  /** Whether somebody still wants it. */
  readonly open: () => boolean;
  /** The body is not read any more, whatever becomes of its bytes. */
  readonly onRead: () => void;
}

export type Taken = 'taken' | 'cancelled' | 'too-large';

/**
 * Writes what a client sends to its upload. However this ends, what came is kept.
 * @throws RegistryError SIZE_INVALID, STORAGE_UNAVAILABLE, or what reading the body threw
 */
export async function take({ file, piece, room, open, onRead }: TakeOptions): Promise<Taken> {
  let received = 0;
  const announced = piece.size;
  try {
    for await (const chunk of piece.body) {
      if (!open()) return 'cancelled';
      const most = Math.min(room, announced ?? Infinity) - received;
      const fits = chunk.length <= most ? chunk : chunk.subarray(0, most);
      received += fits.length;
      const written = file.write(fits);
      if (written !== undefined) await written;
      if (fits !== chunk) {
        if (received === room) return 'too-large';
        throw new RegistryError('SIZE_INVALID', `more than the ${announced} bytes announced`);
      }
    }
  } finally {
    onRead();
    await file.flush();
  }
  if (!open()) return 'cancelled';
  if (announced === undefined || announced === received) return 'taken';
  throw new RegistryError('SIZE_INVALID', `${received} bytes came, ${announced} were announced`);
}

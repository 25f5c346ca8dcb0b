/** One regular file of a layer. */
export interface TarFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** A POSIX ustar archive, the same bytes for the same input. */
export function tar(files: readonly TarFile[]): Buffer {
  const blocks: Uint8Array[] = [];
  for (const file of files) {
    blocks.push(header(file), file.bytes, Buffer.alloc(-file.bytes.length & 511));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function header(file: TarFile): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1');
  };
  block.write(file.path, 0, 'latin1');
  octal(file.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(file.bytes.length, 124, 12);
  octal(0, 136, 12);
  block.write('        0', 148, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** The processors that the suite builds images for, by their OCI name. */
export type Architecture = 'amd64' | 'arm64';

const LOAD_ADDRESS = 0x400000n;
const HEADERS = 64 + 56;

/**
 * A complete static Linux program that prints `message` and ends with 0: an ELF header, one
 * segment, a handful of instructions and the text. So the suite needs no compiler and no base image.
 */
export function program(architecture: Architecture, message: string): Buffer {
  const text = Buffer.from(message);
  const code = architecture === 'amd64' ? amd64(text.length) : arm64(text.length);
  const size = BigInt(HEADERS + code.length + text.length);
  const header = Buffer.alloc(HEADERS);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(architecture === 'amd64' ? 62 : 183, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(LOAD_ADDRESS + BigInt(HEADERS), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(LOAD_ADDRESS, 80);
  header.writeBigUInt64LE(LOAD_ADDRESS, 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code, text]);
}

/** write(1, text, length); exit(0). The text follows the code. */
function amd64(length: number): Buffer {
  const code = Buffer.from(
    'b801000000' + // mov eax, 1 (write)
      'bf01000000' + // mov edi, 1 (standard output)
      '488d3500000000' + // lea rsi, [rip + …]
      'ba00000000' + // mov edx, length
      '0f05' + // syscall
      'b83c000000' + // mov eax, 60 (exit)
      '31ff' + // xor edi, edi
      '0f05', // syscall
    'hex',
  );
  code.writeInt32LE(code.length - 17, 13);
  code.writeUInt32LE(length, 18);
  return code;
}

function arm64(length: number): Buffer {
  const words = [
    0xd2800020, // mov x0, #1
    0x10000001, // adr x1, text
    0xd2800002, // mov x2, #length
    0xd2800808, // mov x8, #64 (write)
    0xd4000001, // svc #0
    0xd2800000, // mov x0, #0
    0xd2800ba8, // mov x8, #93 (exit)
    0xd4000001, // svc #0
  ];
  const code = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) code.writeUInt32LE(word, index * 4);
  const distance = code.length - 4;
  code.writeUInt32LE((0x10000001 | ((distance >> 2) << 5)) >>> 0, 4);
  code.writeUInt32LE((0xd2800002 | (length << 5)) >>> 0, 8);
  return code;
}

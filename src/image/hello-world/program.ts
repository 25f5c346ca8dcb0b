/** The machines that the program is there for, by their names in an image index. */
export type Machine = 'amd64' | 'arm64';

/** Where the file is put in memory: the usual place of a program that is not relocated. */
const BASE = 0x40_0000;
const FILE_HEADER = 64;
const PROGRAM_HEADER = 56;
const CODE_AT = FILE_HEADER + PROGRAM_HEADER;

/** `e_machine` of the ELF specification's supplements for the two processors. */
const MACHINES: Readonly<Record<Machine, number>> = { amd64: 62, arm64: 183 };

/**
 * A static Linux program that writes the text to its standard output and ends with status 0: an ELF
 * file of one segment that holds the headers, the code and the text.
 */
export function writingProgram(machine: Machine, text: string): Uint8Array {
  const words = new TextEncoder().encode(text);
  const code = machine === 'amd64' ? amd64Code(words.length) : arm64Code(words.length);
  const size = CODE_AT + code.length + words.length;
  const file = new Uint8Array(size);
  file.set(headers(machine, size));
  file.set(code, CODE_AT);
  file.set(words, CODE_AT + code.length);
  return file;
}

/** System V ABI, "ELF Header" and "Program Header", 64 bit, little endian. */
function headers(machine: Machine, size: number): Uint8Array {
  const bytes = new Uint8Array(CODE_AT);
  const view = new DataView(bytes.buffer);
  const long = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // e_type: an executable
  view.setUint16(18, MACHINES[machine], true);
  view.setUint32(20, 1, true); // e_version
  long(24, BASE + CODE_AT); // e_entry
  long(32, FILE_HEADER); // e_phoff
  view.setUint16(52, FILE_HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, 1, true); // e_phnum

  view.setUint32(FILE_HEADER, 1, true); // p_type: to be loaded
  view.setUint32(FILE_HEADER + 4, 5, true); // p_flags: read and execute
  long(FILE_HEADER + 16, BASE); // p_vaddr
  long(FILE_HEADER + 24, BASE); // p_paddr
  long(FILE_HEADER + 32, size); // p_filesz
  long(FILE_HEADER + 40, size); // p_memsz
  long(FILE_HEADER + 48, 0x1_0000); // p_align: the largest page of either machine
  return bytes;
}

function amd64Code(length: number): Uint8Array {
  const toText = 11; // bytes of code after the instruction that finds the text
  const code = [
    [0xb8, ...word(1)], // mov eax, 1 (write)
    [0xbf, ...word(1)], // mov edi, 1 (standard output)
    [0xba, ...word(length)], // mov edx, length
    [0x48, 0x8d, 0x35, ...word(toText)], // lea rsi, [rip + …]
    [0x0f, 0x05], // syscall
    [0xb8, ...word(60)], // mov eax, 60 (exit)
    [0x31, 0xff], // xor edi, edi
    [0x0f, 0x05], // syscall
  ];
  return Uint8Array.from(code.flat());
}

function arm64Code(length: number): Uint8Array {
  const move = (register: number, value: number): number => 0xd280_0000 + (value << 5) + register; // movz
  const call = 0xd400_0001; // svc 0
  const code = [
    move(8, 64), // write
    move(0, 1), // standard output
    move(2, length),
    0x1000_0001, // adr x1, …: completed below
    call,
    move(8, 93), // exit
    move(0, 0),
    call,
  ];
  const at = 3;
  // The distance in instructions: of the bytes it would be the same bits two places further left.
  code[at] = 0x1000_0001 + ((code.length - at) << 5);
  return Uint8Array.from(code.flatMap(word));
}

/** Four bytes, little endian. */
function word(value: number): readonly number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writingProgram, type Machine } from '../../../src/image/hello-world/program.ts';

const TEXT = 'Hello, world: ä\nand a second line\n';

/** What runs the machine's programs here: the machine itself, or an emulator if there is one. */
function runner(machine: Machine): readonly string[] | undefined {
  if (process.platform !== 'linux') return undefined;
  if (process.arch === (machine === 'amd64' ? 'x64' : 'arm64')) return [];
  const emulator = machine === 'amd64' ? 'qemu-x86_64-static' : 'qemu-aarch64-static';
  return spawnSync(emulator, ['--version']).status === 0 ? [emulator] : undefined;
}

for (const machine of ['amd64', 'arm64'] as const) {
  const prefix = runner(machine);
  const skip = prefix === undefined && `nothing here runs programs for ${machine}`;
  test(`the program for ${machine} writes its text and ends well`, { skip }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'layover-program-'));
    try {
      const file = join(folder, 'program');
      await writeFile(file, writingProgram(machine, TEXT), { mode: 0o755 });
      const [command, ...rest] = [...(prefix ?? []), file];
      const { status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8' });
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: TEXT, stderr: '' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test(`the program for ${machine} is the same bytes every time`, () => {
    assert.deepEqual(writingProgram(machine, TEXT), writingProgram(machine, TEXT));
  });
}

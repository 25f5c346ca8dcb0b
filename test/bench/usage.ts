import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Clock ticks a second in /proc: fixed by the kernel's ABI. */
const TICKS = 100;
const PATIENCE = 10_000;

/** CPU seconds, user and system, that the processes and their children have used; ended children excluded. */
export function cpuSeconds(pid: number): number {
  return family(pid).reduce((sum, one) => sum + ticksOf(one), 0) / TICKS;
}

/**
 * The same once the processes have come to rest: what a server still does after the last byte went
 * out (it stores, it checks) is part of the price.
 */
export async function settledCpuSeconds(pid: number): Promise<number> {
  const deadline = performance.now() + PATIENCE;
  let last = cpuSeconds(pid);
  for (;;) {
    await delay(250);
    const now = cpuSeconds(pid);
    if (now - last < 0.02 || performance.now() > deadline) return now;
    last = now;
  }
}

/** The most memory that was ever resident, bytes, of the process and its children together. */
export function peakResident(pid: number): number {
  return family(pid).reduce((sum, one) => {
    const [, kibibytes] = readFileSync(`/proc/${one}/status`, 'utf8').match(/VmHWM:\s+(\d+)/) ?? [];
    return sum + Number(kibibytes ?? 0) * 1024;
  }, 0);
}

function ticksOf(pid: number): number {
  const fields = fieldsOf(pid);
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** /proc/PID/stat after the name, which may hold anything: the first is the state, the second the parent. */
function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => {
      try {
        return Number(fieldsOf(one)[1]) === pid;
      } catch {
        // It ended between the listing and the look.
        return false;
      }
    });
  return [pid, ...children];
}

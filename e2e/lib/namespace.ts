import { run, start, type Running } from './process.ts';
import type { Present } from './tool.ts';

/** A network of its own with a loopback interface and nothing else: no route leads anywhere. */
export interface Namespace extends AsyncDisposable {
  /** Goes in front of a command that is to run in there. */
  readonly enter: readonly [string, ...string[]];
  /** A program of a tool, in there. */
  tool(tool: Present): Present;
}

/** Needs root. @param name of this run alone */
export async function namespace(name: string): Promise<Namespace> {
  await run('ip', ['netns', 'add', name]);
  const remove = async (): Promise<void> => void (await run('ip', ['netns', 'del', name]));
  try {
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  } catch (error) {
    await remove();
    throw error;
  }
  // Not `ip netns exec`, which hides the control groups that runc wants.
  const enter = ['nsenter', `--net=/run/netns/${name}`] as const;
  return {
    enter,
    tool: (tool) => ({
      ...tool,
      command: (program, folder) => [...enter, ...tool.command(program, folder)],
    }),
    [Symbol.asyncDispose]: remove,
  };
}

/** Starts a command in there. */
export function startIn(
  { enter: [command, ...first] }: Namespace,
  line: readonly string[],
): Promise<Running> {
  return start(command, [...first, ...line]);
}

import type { Context } from '../context.ts';
import { told } from '../told.ts';

/**
 * A tool of others, as its own command line: what stands behind its name. Gives the exit code. What
 * it throws is told as a failure, and where the user ended it, as that.
 */
export type Tool = (line: readonly string[], context: Context) => Promise<number>;

/** The tools whose command lines are spoken, under the names that they are called by. */
const TOOLS: Readonly<Record<string, () => Promise<Tool>>> = {
  imgpull: async () => (await import('./imgpull/imgpull.ts')).imgpull,
  crpy: async () => (await import('./crpy/crpy.ts')).crpy,
  crget: async () => (await import('./crget/crget.ts')).crget,
  layerslayer: async () => (await import('./layerslayer/layerslayer.ts')).layerslayer,
  'registory-raider': async () =>
    (await import('./registory-raider/registory-raider.ts')).registoryRaider,
};

/** The tool of that name, if there is one; loaded once it is called. Never throws then. */
export function toolFor(name: string | undefined): Tool | undefined {
  if (name === undefined || !Object.hasOwn(TOOLS, name)) return undefined;
  return async (line, context) => {
    try {
      const tool = await TOOLS[name]?.();
      return tool === undefined ? 1 : await tool(line, context);
    } catch (error) {
      const { aborted } = context.interruption;
      context.output.error(`${name}: ${aborted ? 'interrupted' : told(error)}\n`);
      return aborted ? 130 : 1;
    }
  };
}

const { version } = JSON.parse(
  process
    .getBuiltinModule('node:fs')
    .readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };
const { argv, env: environment } = process;
const line = argv.slice(2);

if (line.length === 1 && line[0] === '--version') {
  // Asked by scripts all the time: not worth loading a program for, unless it fails.
  const lost = async (error: Error): Promise<void> => {
    const { unwritable } = await import('./cli/terminal.ts');
    unwritable(error, { stderr: process.stderr, ended: (code) => process.exit(code) });
  };
  process.stdout.on('error', (error) => void lost(error));
  process.stdout.write(`layover ${version}\n`);
} else {
  const { stdin, stdout, stderr } = process;
  const { toolFor } = await import('./cli/compat/tools.ts');
  // Called by the name of a tool whose command line is spoken, the launcher puts that name in front.
  const tool = toolFor(line[0]);
  const [run, { terminal }, { terminalInput }, { interruption }] = await Promise.all([
    tool ?? import('./cli/program.ts').then(({ run }) => run),
    import('./cli/terminal.ts'),
    import('./cli/input.ts'),
    import('./cli/interruption.ts'),
  ]);
  const interrupted = interruption(process);
  using input = terminalInput({
    stdin,
    prompts: stderr,
    signal: () => interrupted.listen(),
    interrupt: () => process.kill(process.pid, 'SIGINT'),
  });
  process.exitCode = await run(tool === undefined ? line : line.slice(1), {
    version,
    output: terminal({ stdout, stderr, ended: (code) => process.exit(code) }),
    input,
    interruption: interrupted,
    environment,
    actions: async () =>
      (await import('./compose/actions.ts')).actionsFor({ version, environment }),
    connect: async (options) => (await import('./compose/client.ts')).connect(options, environment),
  });
  // Everything has been put away by now; a connection that will not end is no reason to stay.
  setTimeout(() => process.exit(), 5_000).unref();
}

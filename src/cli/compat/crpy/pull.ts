import type { CopyEvent } from '../../../image/copy/event.ts';
import { pull } from '../../../image/pull.ts';
import { inOrder, shortOf } from './in-order.ts';
import { parseCrpy } from './reference.ts';
import { imageAt, imageOf, session, type Command } from './session.ts';

/** `crpy pull URL [FILE]`: an archive in crpy's layout. */
export async function crpyPull(command: Command): Promise<void> {
  const { values, context } = command;
  const target = parseCrpy(values.get('url') ?? '');
  const image = imageOf(target, 'Repository must be provided to pull!');
  const say = (text: string): void => context.output.error(text);
  const { repository, at } = image;
  const file = values.get('filename') ?? repository.path.replaceAll('/', '_');
  say(`${at}: Pulling from ${target.registry}/${repository.path}\n`);
  await using client = await session(target, command);
  const { source } = await client.open({ kind: 'registry', reference: image });
  const chosen = await imageAt(source, image, target, values.get('architecture'));
  const layers = chosen.image.layers.map(({ digest }) => digest);
  const to = { repository: { host: target.registry, path: repository.path }, at };
  const signal = context.interruption.listen();
  await using into = await client.client.write(
    { kind: 'docker-archive', file },
    { name: to, layout: 'crpy', signal },
  );
  await pull({
    into,
    images: [{ source, repository, at: chosen.manifest.descriptor.digest, to }],
    signal,
    observe: pulled(inOrder(layers, say)),
  });
  say(`Downloaded image from ${target.shown}\n`);
}

function pulled(done: ReturnType<typeof inOrder>): (event: CopyEvent) => void {
  return (event) => {
    if (event.type !== 'blob-done') return;
    const { digest } = event.descriptor;
    const short = shortOf(digest);
    const held = event.from === 'cache' ? `Using cache for layer ${short}\n` : '';
    done(digest, `${held}${short}: Pull complete\n`);
  };
}

import type { Grammar } from '../argparse.ts';

export const GRAMMAR: Grammar = {
  program: 'crget',
  description: 'Gets a binary out of an image in a registry, or what a whole layer holds.',
  epilog: `Examples:
  1. To a file:       crget docker.io/angelkawaii/pills /usr/local/bin/app
  2. Into a folder:   crget docker.io/angelkawaii/pills /tmp/
  3. Its own name:    crget docker.io/angelkawaii/pills`,
  options: [
    {
      name: 'config',
      flags: ['-c', '--config'],
      takes: 'value',
      help: 'configuration file (default: /etc/crget.conf)',
    },
    {
      name: 'ignore-arch',
      flags: ['--ignore-arch'],
      takes: 'nothing',
      help: 'take the first image of a list that has none for this machine',
    },
    {
      name: 'ignore-multi-layer',
      flags: ['--ignore-multi-layer'],
      takes: 'nothing',
      help: 'take the last layer of several',
    },
    {
      name: 'archive',
      flags: ['--archive'],
      takes: 'nothing',
      help: 'write everything that the layer holds into a folder',
    },
    {
      name: 'layer',
      flags: ['--layer'],
      takes: 'value',
      integer: true,
      help: 'which layer: from 0, the base, or from -1, the last one',
    },
  ],
  positionals: [
    { name: 'image_url', count: 'one', help: 'the image, with its registry in front' },
    {
      name: 'output_path',
      count: 'optional',
      help: 'a file or folder; without it, the name of the repository in the current folder',
    },
  ],
};

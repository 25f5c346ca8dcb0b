import type { Grammar, OptionRule } from '../argparse.ts';

const flag = (name: string, help: string, short: readonly string[] = []): OptionRule => ({
  name,
  flags: [`--${name}`, ...short],
  takes: 'nothing',
  help,
});

const value = (name: string, metavar: string, help: string, short: readonly string[] = []) =>
  ({ name, flags: [`--${name}`, ...short], takes: 'value', metavar, help }) as const;

const REGISTRY = value(
  'registry',
  'HOST',
  'where images without a registry in front are (default: docker.io)',
);

export const GRAMMAR: Grammar = {
  program: 'layerslayer',
  description: 'Explore and download individual image layers.',
  epilog: `What was peeked is found again by:
  layerslayer fslog IMAGE [PATH]
  layerslayer fslog IMAGE LAYER PATH --single-layer
  layerslayer fslog-search PATTERN [IMAGE [LAYER]]`,
  options: [
    value('target-image', 'IMAGE_REF', 'image (user/repo:tag) to inspect', ['-t']),
    flag('peek-all', 'peek into all layers and exit'),
    value('peek-layer', 'LAYER', 'peek into one layer, from 0, the base, or into all'),
    flag('save-all', 'download all layers and exit'),
    value('log-file', 'LOG_FILE', 'write everything that is said to this file, too', ['-l']),
    flag('simple-output', 'list names instead of the style of ls -la'),
    flag('bulk-peek', 'peek into all layers and show the entries of all of them'),
    value('carve-file', 'CARVE_FILE', 'get one file of the image (e.g., /etc/passwd)', ['-f']),
    { ...value('carve-layer', 'LAYER', 'the file as this layer has it'), integer: true },
    value('output-dir', 'OUTPUT_DIR', 'where carved files go (default: ./carved)', ['-o']),
    flag('quiet', 'tell no progress', ['-q']),
    flag('interactive', 'walk through platform, build steps and layers', ['-i']),
    { ...value('arch', 'ARCH', 'number of the platform, from 0', ['-a']), integer: true },
    flag('force', 'peek anew into what was peeked before, without asking', ['-F']),
    flag('hide-build', 'do not list the build steps'),
    flag('api', 'serve the HTTP API', ['-A']),
    value('host', 'HOST', 'address of the HTTP API (default: 127.0.0.1)'),
    { ...value('port', 'PORT', 'port of the HTTP API (default: 8000)'), integer: true },
    value('hub', 'URL', 'where the HTTP API asks for Hub (default: https://hub.docker.com)'),
    REGISTRY,
  ],
  positionals: [],
};

export const FSLOG: Grammar = {
  program: 'layerslayer fslog',
  description: 'Lists a folder of an image from the layers that were peeked.',
  options: [
    flag('single-layer', 'list what one layer has'),
    value('search', 'PATTERN', 'list entries whose name holds this', ['-s']),
    REGISTRY,
  ],
  positionals: [
    { name: 'image', count: 'optional', help: 'the image (user/repo:tag)' },
    { name: 'second', count: 'optional', help: 'the folder, / if left out, or the layer' },
    { name: 'third', count: 'optional', help: 'the folder, after the layer' },
  ],
};

export const SEARCH: Grammar = {
  program: 'layerslayer fslog-search',
  description: 'Lists entries of the layers that were peeked whose name holds the pattern.',
  options: [REGISTRY],
  positionals: [
    { name: 'pattern', count: 'one', help: 'part of a name; % stands for anything' },
    { name: 'image', count: 'optional', help: 'the image (user/repo:tag)' },
    { name: 'layer', count: 'optional', help: 'the layer, from 0, the base' },
  ],
};

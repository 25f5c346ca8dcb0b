import type { Grammar, OptionRule, PositionalRule } from '../argparse.ts';

const PLATFORM: OptionRule = {
  name: 'architecture',
  flags: ['--architecture', '-a', '--arch', '--platform'],
  takes: 'value',
  help: 'Platform of the image, such as linux/arm64/v8.',
};
const URL_RULE: PositionalRule = { name: 'url', count: 'one', help: 'The image.' };
const REGISTRY: PositionalRule = {
  name: 'url',
  count: 'optional',
  help: 'The registry; Docker Hub if left out.',
};

export type CommandName =
  | 'pull'
  | 'push'
  | 'login'
  | 'logout'
  | 'auth'
  | 'manifest'
  | 'config'
  | 'commands'
  | 'layer'
  | 'repositories'
  | 'tags'
  | 'delete'
  | 'resolve'
  | 'version';

export interface CommandGrammar {
  readonly name: CommandName;
  readonly help: string;
  readonly options: readonly OptionRule[];
  readonly positionals: readonly PositionalRule[];
}

export const COMMANDS: readonly CommandGrammar[] = [
  {
    name: 'pull',
    help: 'Pulls an image from a registry into a file.',
    options: [
      PLATFORM,
      {
        name: 'no-cache',
        flags: ['--no-cache'],
        takes: 'nothing',
        help: 'Neither looks for layers in the cache nor keeps them there.',
      },
    ],
    positionals: [
      URL_RULE,
      { name: 'filename', count: 'optional', help: "The file; the repository's name if left out." },
    ],
  },
  {
    name: 'push',
    help: 'Pushes an image from a file to a registry.',
    options: [],
    positionals: [
      { name: 'filename', count: 'one', help: 'The file: of crpy pull, or of docker save.' },
      { name: 'url', count: 'one', help: 'What the image is called in the registry.' },
    ],
  },
  {
    name: 'login',
    help: 'Logs in to a registry.',
    options: [
      { name: 'username', flags: ['--username', '-u'], takes: 'maybe', help: 'Username' },
      { name: 'password', flags: ['--password', '-p'], takes: 'maybe', help: 'Password' },
    ],
    positionals: [REGISTRY],
  },
  { name: 'logout', help: 'Logs out of a registry.', options: [], positionals: [REGISTRY] },
  {
    name: 'auth',
    help: 'Shows the registries that one is logged in to.',
    options: [
      {
        name: 'show-passwords',
        flags: ['--show-passwords', '-s'],
        takes: 'nothing',
        help: 'Shows passwords and tokens as they are.',
      },
    ],
    positionals: [],
  },
  {
    name: 'manifest',
    help: 'Shows the manifest of an image.',
    options: [
      {
        name: 'fat',
        flags: ['--fat', '-f'],
        takes: 'nothing',
        help: 'Shows the list of the images for all platforms, where there is one.',
      },
      PLATFORM,
    ],
    positionals: [URL_RULE],
  },
  { name: 'config', help: 'Shows the config of an image.', options: [], positionals: [URL_RULE] },
  {
    name: 'commands',
    help: 'Shows the commands that an image was built with.',
    options: [],
    positionals: [URL_RULE],
  },
  {
    name: 'layer',
    help: 'Writes a layer of an image, as it is stored, to standard output.',
    options: [],
    positionals: [
      URL_RULE,
      {
        name: 'layer_reference',
        count: 'one',
        help: 'Its position, from 0 or from -1, or a part of its digest.',
      },
    ],
  },
  {
    name: 'repositories',
    help: 'Lists the repositories of a registry.',
    options: [],
    positionals: [{ name: 'url', count: 'one', help: 'The registry.' }],
  },
  {
    name: 'tags',
    help: 'Lists the tags of a repository.',
    options: [],
    positionals: [{ name: 'url', count: 'one', help: 'The repository.' }],
  },
  {
    name: 'delete',
    help: 'Deletes an image in a registry, with all of its tags.',
    options: [],
    positionals: [URL_RULE],
  },
  {
    name: 'resolve',
    help: 'Shows every endpoint that a pull would touch, and its addresses.',
    options: [
      PLATFORM,
      { name: 'ipv4', flags: ['-4'], takes: 'nothing', group: 'ip', help: 'Only IPv4 addresses.' },
      { name: 'ipv6', flags: ['-6'], takes: 'nothing', group: 'ip', help: 'Only IPv6 addresses.' },
    ],
    positionals: [URL_RULE],
  },
  { name: 'version', help: 'Shows the version.', options: [], positionals: [] },
];

const NAMES = COMMANDS.map(({ name }) => name);

export const MAIN: Grammar = {
  program: 'crpy',
  description: 'Basic docker commands such as pull and push, without docker.',
  epilog: 'This is Layover, which speaks the command line of crpy; layover --help shows more.',
  options: [
    {
      name: 'insecure',
      flags: ['-k', '--insecure'],
      takes: 'nothing',
      help: 'Does not check certificates, for registries of developers.',
    },
    {
      name: 'proxy',
      flags: ['-p', '--proxy'],
      takes: 'value',
      help: 'Proxy for all requests, with a login where it needs one: "http://user:pass@proxy.test".',
    },
  ],
  positionals: [
    { name: `{${NAMES.join(',')}}`, count: 'optional', choices: NAMES, help: 'What to do:' },
  ],
  rest: 'own',
};

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError, formatFault } from '../../src/config/fault.ts';
import { load, type Override } from '../../src/config/load.ts';
import { WELL_KNOWN } from '../../src/config/well-known.ts';

interface Given {
  readonly environment?: Readonly<Record<string, string>>;
  readonly overrides?: readonly Override[];
}

const loaded = (text: string, { environment = {}, overrides = [] }: Given = {}) =>
  load({ file: { name: 'c.yaml', text }, environment, overrides });

const configOf = (text: string, given?: Given) => loaded(text, given).config;

function faultsOf(text: string, given?: Given): readonly string[] {
  try {
    loaded(text, given);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults.map(formatFault);
  }
}

function upstream(text: string, name = 'x.io') {
  const found = configOf(text).upstreams.get(name);
  assert.ok(found !== undefined);
  return found;
}

test('without file, environment and flags everything has its default', () => {
  const { config } = load({ environment: {}, overrides: [] });
  assert.deepEqual(config.listen, { host: '0.0.0.0', port: 8080 });
  assert.equal(config.tls, undefined);
  assert.deepEqual(config.storage, {
    path: './data',
    maxSize: 50 * 2 ** 30,
    lowWater: 0.9,
    minFree: 2 * 2 ** 30,
    maxAge: 0,
    pins: [],
    verifyRate: 10 * 2 ** 20,
  });
  assert.deepEqual(config.tags, {
    freshFor: 60_000,
    revalidateWithin: 2000,
    whenUnreachable: 'serve-stale',
    whenDeleted: 'keep',
    notFoundFor: 10_000,
  });
  assert.equal(config.defaultUpstream, 'docker.io');
  assert.equal(config.whenRateLimited, 429);
  assert.equal(config.drain, 30_000);
  assert.deepEqual(config.upstreams.get('docker.io'), {
    host: 'docker.io',
    url: 'https://registry-1.docker.io',
    mirrors: [],
    aliases: ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'],
    credentials: undefined,
    tls: { ca: undefined, cert: undefined, key: undefined, insecureSkipVerify: false },
    proxy: undefined,
    headers: {},
    allowPrivate: [],
    maxConnections: 16,
    maxSize: undefined,
    timeouts: { connect: 5000, headers: 20_000, idle: 30_000 },
    tags: config.tags,
  });
  assert.equal(config.upstreams.get('quay.io')?.url, 'https://quay.io');
});

test('every well-known registry is configured, in lower case, and leads to an address over TLS', () => {
  const { upstreams } = configOf('');
  assert.deepEqual([...upstreams.keys()], Object.keys(WELL_KNOWN));
  for (const { host, url } of upstreams.values()) {
    assert.equal(host, host.toLowerCase());
    assert.match(url, /^https:\/\/[a-z0-9.-]+$/);
  }
});

test('flags win over the environment, the environment over the file, the file over defaults', () => {
  const text = 'listen: a:1\nstorage: { path: from-file, verifyRate: 1 }\ntags: { freshFor: 1s }\n';
  const environment = { LAYOVER_LISTEN: 'b:2', LAYOVER_STORAGE_PATH: 'from-environment' };
  const overrides = [{ flag: '--listen', key: 'listen', value: 'c:3' }];
  const config = configOf(text, { environment, overrides });
  assert.deepEqual(config.listen, { host: 'c', port: 3 });
  assert.equal(config.storage.path, 'from-environment');
  assert.equal(config.storage.verifyRate, 1);
  assert.equal(config.tags.freshFor, 1000);
  assert.equal(config.tags.notFoundFor, 10_000);
});

test('the environment sets values of every shape', () => {
  const config = configOf('', {
    environment: {
      LAYOVER_OFFLINE: 'true',
      LAYOVER_WHEN_RATE_LIMITED: '503',
      LAYOVER_STORAGE_LOW_WATER: '0.5',
      LAYOVER_STORAGE_MAX_SIZE: '4096',
      LAYOVER_TAGS_FRESH_FOR: '5m',
      LAYOVER_TLS_CERT: 'c',
      LAYOVER_TLS_KEY: '007',
      LAYOVER_DRAIN: '',
      LAYOVER_PORT: 'tcp://10.0.0.1:80',
      LAYOVER_PORT_80_TCP_ADDR: '10.0.0.1',
      LAYOVER_SERVICE_PORT_HTTP: '80',
      LAYOVER_ADMIN_SERVICE_HOST: '10.0.0.1',
      OTHER: 'x',
    },
  });
  assert.equal(config.offline, true);
  assert.equal(config.whenRateLimited, 503);
  assert.equal(config.storage.lowWater, 0.5);
  assert.equal(config.storage.maxSize, 4096);
  assert.equal(config.tags.freshFor, 300_000);
  assert.deepEqual(config.tls, { cert: 'c', key: '007', clientCa: undefined });
  assert.equal(config.drain, 30_000);
});

test('an upstream is made of what is said, what is well known, and the tags for all', () => {
  const config = configOf(`
tags: { freshFor: 5s, whenDeleted: follow }
upstreams:
  docker.io: { maxConnections: 4, tags: { freshFor: 1h } }
  quay.io:
  gcr.io: off
  ghcr.io: false
  localhost:5000: { url: "http://LOCALHOST:80/prefix/" }
  x.io: { mirrors: ["http://10.0.0.5:5000/"] }
`);
  const hub = config.upstreams.get('docker.io');
  assert.equal(hub?.url, 'https://registry-1.docker.io');
  assert.equal(hub?.maxConnections, 4);
  assert.deepEqual(hub?.tags, { ...config.tags, freshFor: 3_600_000 });
  assert.equal(config.upstreams.get('quay.io')?.tags.whenDeleted, 'follow');
  assert.equal(config.upstreams.has('gcr.io'), false);
  assert.equal(config.upstreams.has('ghcr.io'), false);
  assert.equal(config.upstreams.get('localhost:5000')?.url, 'http://localhost/prefix');
  assert.deepEqual(config.upstreams.get('x.io')?.mirrors, ['http://10.0.0.5:5000']);
});

test('an upstream may have a tag policy of its own', () => {
  const { tags } = upstream(`
tags: { freshFor: 1s }
upstreams:
  x.io:
    tags: { freshFor: 1h, revalidateWithin: 3s, whenUnreachable: fail, whenDeleted: follow, notFoundFor: 0 }
`);
  assert.deepEqual(tags, {
    freshFor: 3_600_000,
    revalidateWithin: 3000,
    whenUnreachable: 'fail',
    whenDeleted: 'follow',
    notFoundFor: 0,
  });
});

test('an upstream that is taken out is no default upstream, however "off" is written', () => {
  for (const off of ['off', 'false']) {
    const [fault, ...more] = faultsOf(`upstreams: { docker.io: ${off} }`);
    assert.match(
      fault ?? '',
      /^defaultUpstream: "docker\.io" is not an upstream .* allowed: ghcr\.io, .*none$/,
    );
    assert.deepEqual(more, []);
  }
});

test('the default upstream may be an alias or none', () => {
  const hub = configOf('defaultUpstream: index.docker.io');
  assert.equal(hub.defaultUpstream, 'docker.io');
  assert.equal(configOf('defaultUpstream: none').defaultUpstream, undefined);
});

test('credentials are one of four kinds', () => {
  for (const [text, credentials] of [
    ['{ username: u, password: p }', { kind: 'password', username: 'u', password: 'p' }],
    ['{ username: u, passwordFile: p }', { kind: 'file', username: 'u', passwordFile: 'p' }],
    ['{ username: u, passwordEnv: P }', { kind: 'environment', username: 'u', passwordEnv: 'P' }],
    ['{ helper: ecr-login }', { kind: 'helper', helper: 'ecr-login' }],
  ] as const) {
    const found = upstream(`upstreams: { x.io: { credentials: ${text} } }`).credentials;
    assert.deepEqual(found, credentials);
  }
});

test('anchors and aliases are understood, and their faults are told where the alias stands for them', () => {
  const text = 'upstreams:\n  x.io: &own { maxConnections: 2 }\n  y.io: *own\n';
  assert.equal(upstream(text, 'y.io').maxConnections, 2);
});

// One fault each: what is written, and the whole line that tells it.
test('what is prefetched: every key has a default but what it is about', () => {
  const text = `prefetch:
  - images: [nginx]
  - { files: [a.txt], platforms: [arm64, linux/amd64], referrers: true, every: 0, whenTagMoves: true }
  - { images: ['x:1.*'], platforms: [all], maxTags: 5 }`;
  const defaults = {
    images: [],
    files: [],
    platforms: [],
    referrers: 'left-out',
    maxTags: 100,
    every: 86_400_000,
    whenTagMoves: false,
  };
  const both = [
    { os: 'linux', architecture: 'arm64' },
    { os: 'linux', architecture: 'amd64' },
  ];
  assert.deepEqual(
    load({ file: { name: 'c.yaml', text }, environment: {}, overrides: [] }).config.prefetch,
    [
      { ...defaults, images: ['nginx'] },
      {
        ...defaults,
        files: ['a.txt'],
        platforms: both,
        referrers: 'copied',
        every: 0,
        whenTagMoves: true,
      },
      { ...defaults, images: ['x:1.*'], platforms: 'all', maxTags: 5 },
    ],
  );
});

for (const [text, fault] of [
  ['prefetch: [{}]', 'c.yaml:1:12 prefetch[0]: names neither images nor files'],
  ['prefetch: [nginx]', 'c.yaml:1:12 prefetch[0]: is not a mapping of keys'],
  [
    'prefetch: [{ images: ["x*:1"] }]',
    'c.yaml:1:23 prefetch[0].images[0]: "x*:1" is not an image; allowed: name:tag, name@digest, or * in the tag: nginx:1.27.*',
  ],
  [
    'prefetch: [{ images: [x], platforms: [all, arm64] }]',
    'c.yaml:1:12 prefetch[0]: has all and other platforms; all leaves nothing to add',
  ],
  [
    'prefetch: [{ images: [x], platforms: all }]',
    'c.yaml:1:38 prefetch[0].platforms: "all" is not allowed; a list is',
  ],
  [
    'prefetch: [{ images: [x], platforms: ["a b"] }]',
    'c.yaml:1:39 prefetch[0].platforms[0]: "a b" is not a platform; allowed: os/architecture, such as linux/arm64, or all',
  ],
  [
    'lisen: a:1',
    'c.yaml:1:1 lisen: no such key (did you mean listen?); allowed: listen, tls, admin, storage, defaultUpstream, hosted, offline, tags, downloads, whenRateLimited, uploads, gc, prefetch, drain, log, upstreams',
  ],
  [
    'tags:\n  freshfor: 1s',
    'c.yaml:2:3 tags.freshfor: no such key (did you mean freshFor?); allowed: freshFor, revalidateWithin, whenUnreachable, whenDeleted, notFoundFor',
  ],
  [
    'tags:\n  freshFor: 60',
    'c.yaml:2:13 tags.freshFor: 60 is not a duration; allowed: whole numbers with d, h, m, s or ms, such as 30s or 1h30m, or 0',
  ],
  [
    'drain: 25d',
    'c.yaml:1:8 drain: "25d" is not a duration; allowed: whole numbers with d, h, m, s or ms, such as 30s or 1h30m, or 0; 24d at most',
  ],
  [
    'tags: { revalidateWithin: 0 }',
    'c.yaml:1:27 tags.revalidateWithin: 0 is not a duration; allowed: whole numbers with d, h, m, s or ms, such as 30s or 1h30m; more than 0, 24d at most',
  ],
  [
    'tags: { whenDeleted: kep }',
    'c.yaml:1:22 tags.whenDeleted: "kep" is not allowed (did you mean keep?); allowed: keep, follow',
  ],
  [
    'whenRateLimited: 500',
    'c.yaml:1:18 whenRateLimited: 500 is not allowed (did you mean 503?); allowed: 429, 503',
  ],
  ['offline: yes', 'c.yaml:1:10 offline: "yes" is not allowed; true or false is'],
  [
    'storage: { lowWater: 1.5 }',
    'c.yaml:1:22 storage.lowWater: 1.5 is too large; allowed: at most 1',
  ],
  [
    'storage: { lowWater: 0 }',
    'c.yaml:1:22 storage.lowWater: 0 is too small; allowed: more than 0',
  ],
  [
    'storage: { maxSize: 10Mi }',
    'c.yaml:1:21 storage.maxSize: "10Mi" is not a size; allowed: numbers with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 10MiB, or plain bytes; more than 0',
  ],
  ['storage: here', 'c.yaml:1:10 storage: "here" is not allowed; a mapping of keys is'],
  [
    'downloads: { retries: 1.5 }',
    'c.yaml:1:23 downloads.retries: 1.5 is not allowed; a whole number is',
  ],
  [
    'listen: 8080',
    'c.yaml:1:9 listen: 8080 is not an address; allowed: host:port, "[::1]:8080" (in quotes) or :8080',
  ],
  ['tls: { cert: a }', 'c.yaml:1:1 tls.key: is missing'],
  [
    'hosted: [mine/*, Mine]',
    'c.yaml:1:18 hosted[1]: "Mine" is not a pattern of names; allowed: lower-case names, * within a part, ** for parts',
  ],
  [
    'gc: { pins: ["a/b:v1"] }',
    'c.yaml:1:14 gc.pins[0]: "a/b:v1" is not a manifest; allowed: name@sha256:… or name@sha512:…',
  ],
  [
    'defaultUpstream: dokcer.io\nupstreams: { cgr.dev: off, docker.elastic.co: off, gcr.io: off, ghcr.io: off, lscr.io: off, mcr.microsoft.com: off, nvcr.io: off, public.ecr.aws: off, quay.io: off, registry.access.redhat.com: off, registry.gitlab.com: off, registry.k8s.io: off }',
    'c.yaml:1:18 defaultUpstream: "dokcer.io" is not an upstream of this configuration (did you mean docker.io?); allowed: docker.io, none',
  ],
  [
    'listen: :8081',
    'c.yaml:1:9 listen: is where admin.listen listens already; one of the two needs another port',
  ],
  [
    'listen: 127.0.0.1:80\nadmin: { listen: 0.0.0.0:80 }',
    'c.yaml:2:18 admin.listen: is where listen listens already; one of the two needs another port',
  ],
  [
    'listen: "[::]:80"\nadmin: { listen: localhost:80 }',
    'c.yaml:2:18 admin.listen: is where listen listens already; one of the two needs another port',
  ],
  [
    'upstreams: { Quay.io: {} }',
    'c.yaml:1:14 upstreams.Quay.io: "Quay.io" is not the name of a registry; allowed: host or host:port in lower case',
  ],
  [
    'upstreams: { x.io: on }',
    'c.yaml:1:20 upstreams.x.io: "on" is not an upstream; allowed: a mapping of keys, {} for the defaults, or off',
  ],
  [
    'upstreams: { x.io: { aliases: [quay.io] } }',
    'c.yaml:1:32 upstreams.x.io.aliases[0]: quay.io is an upstream of its own; a name leads to one upstream',
  ],
  [
    'upstreams: { x.io: { aliases: [q] }, y.io: { aliases: [q] } }',
    'c.yaml:1:56 upstreams.y.io.aliases[0]: q is an alias of x.io already; a name leads to one upstream',
  ],
  [
    'upstreams: { index.docker.io: {} }',
    'c.yaml:1:31 upstreams.index.docker.io: is an alias of docker.io; leave it out, or give docker.io other aliases',
  ],
  [
    'upstreams: { x.io: { url: x.io } }',
    'c.yaml:1:27 upstreams.x.io.url: has to begin with http:// or https://',
  ],
  [
    'upstreams: { x.io: { url: "https://u:secret@x.io" } }',
    'c.yaml:1:27 upstreams.x.io.url: holds a user name; that belongs into credentials',
  ],
  [
    'upstreams: { x.io: { url: "https://x.io?a" } }',
    'c.yaml:1:27 upstreams.x.io.url: holds a query or fragment; scheme, host, port and path are allowed',
  ],
  [
    'upstreams: { x.io: { url: "https://x.io/v2/" } }',
    'c.yaml:1:27 upstreams.x.io.url: ends in /v2, which is added to every request anyway',
  ],
  [
    'upstreams: { x.io: { mirrors: ["https://"] } }',
    'c.yaml:1:32 upstreams.x.io.mirrors[0]: is not a URL',
  ],
  [
    'upstreams: { x.io: { proxy: "socks5://u:secret@p:1" } }',
    'c.yaml:1:29 upstreams.x.io.proxy: is not the URL of a proxy; allowed: http://host:port, with user:password@ if needed',
  ],
  [
    'upstreams: { x.io: { credentials: { username: u } } }',
    'c.yaml:1:35 upstreams.x.io.credentials: has a username but no password; allowed: exactly one of password, passwordFile, passwordEnv',
  ],
  [
    'upstreams: { x.io: { credentials: { password: p } } }',
    'c.yaml:1:35 upstreams.x.io.credentials: has password but no username',
  ],
  [
    'upstreams: { x.io: { credentials: { username: u, password: p, passwordEnv: P } } }',
    'c.yaml:1:35 upstreams.x.io.credentials: has password and passwordEnv; allowed: exactly one of password, passwordFile, passwordEnv',
  ],
  [
    'upstreams: { x.io: { credentials: { helper: h, username: u } } }',
    'c.yaml:1:35 upstreams.x.io.credentials: holds both a helper and a login; allowed: one of them',
  ],
  [
    'upstreams: { x.io: { credentials: {} } }',
    'c.yaml:1:35 upstreams.x.io.credentials: is empty; allowed: username and a password, or helper',
  ],
  [
    'upstreams: { x.io: { credentials: { username: u, password: 12345 } } }',
    'c.yaml:1:60 upstreams.x.io.credentials.password: is not text; put it in quotes',
  ],
  [
    'upstreams: { x.io: { credentials: secret } }',
    'c.yaml:1:35 upstreams.x.io.credentials: is not a mapping of keys',
  ],
  [
    'upstreams: { x.io: { tls: { cert: c } } }',
    'c.yaml:1:27 upstreams.x.io.tls: has cert but no key; allowed: both or neither',
  ],
  [
    'upstreams: { x.io: { headers: { Range: x } } }',
    'c.yaml:1:33 upstreams.x.io.headers.Range: is a header that Layover sets itself; it cannot be configured',
  ],
  [
    'upstreams: { x.io: { headers: { "a b": x } } }',
    'c.yaml:1:33 upstreams.x.io.headers.a b: is not the name of a header',
  ],
  [
    'upstreams: { x.io: { headers: { A: "x\\r\\nB: y" } } }',
    'c.yaml:1:36 upstreams.x.io.headers.A: holds a line break or control character',
  ],
  [
    'upstreams: { x.io: { allowPrivate: [10.0.0.0/33] } }',
    'c.yaml:1:37 upstreams.x.io.allowPrivate[0]: "10.0.0.0/33" is not a host or range; allowed: host names, IP addresses, ranges as 10.0.0.0/8',
  ],
  [
    'upstreams: { x.io: { maxConnections: 0 } }',
    'c.yaml:1:38 upstreams.x.io.maxConnections: 0 is too small; allowed: at least 1',
  ],
  [
    'drain: 1s\nlog: { level: info }\ndrain: 2s',
    'c.yaml:3:1 drain: is there twice, first on line 1',
  ],
  ['tags:\n\tfreshFor: 1s', 'c.yaml:2:1: a tab; YAML is indented with spaces'],
  [
    'drain: 1s\n---\ndrain: 2s',
    'c.yaml:2:1: a second document begins here; a configuration is one document',
  ],
  [
    'listen: [::1]:8080',
    'c.yaml:1:14: text that belongs to nothing; values with [ ] { } or # need quotes',
  ],
  [
    'drain: a: b',
    'c.yaml:1:8: a second ": " on one line; put the value into quotes or on lines of its own',
  ],
  ['drain: !!int x', 'c.yaml:1:8: a tag that means nothing here; write the plain value'],
  ['- a', 'c.yaml:1:1: not a mapping; a configuration is keys and values'],
  ['drain: *x', 'c.yaml:1:8 drain: no &x comes before *x'],
  ['upstreams: &a { x.io: *a }', 'c.yaml:1:23 upstreams.x.io: an alias to what it is part of'],
  [
    'tags: { <<: { freshFor: 1s } }',
    'c.yaml:1:9 tags.<<: merge keys are YAML 1.1; write the keys out, or give the whole mapping an alias',
  ],
  ['? [a]\n: b', 'c.yaml:1:3: a key that is no plain text'],
  [
    '__proto__: { listen: x }',
    'c.yaml:1:1 __proto__: no such key; allowed: listen, tls, admin, storage, defaultUpstream, hosted, offline, tags, downloads, whenRateLimited, uploads, gc, prefetch, drain, log, upstreams',
  ],
] as const) {
  test(`refused: ${JSON.stringify(text.slice(0, 70))}`, () => {
    assert.deepEqual(faultsOf(text), [fault]);
  });
}

test('faults of the environment and of flags name the variable and the flag', () => {
  const faults = faultsOf('', {
    environment: {
      LAYOVER_OFFLINE: 'maybe',
      LAYOVER_TAGS_FRESHFOR: '5m',
      LAYOVER_UPSTREAMS_QUAY_IO_URL: 'x',
      LAYOVER_SOMETHING_ELSE: 'x',
    },
    overrides: [{ flag: '--listen', key: 'listen', value: '80' }],
  });
  assert.deepEqual(faults, [
    'LAYOVER_TAGS_FRESHFOR: no key of this name (did you mean LAYOVER_TAGS_FRESH_FOR?); "layover settings schema" lists them',
    'LAYOVER_UPSTREAMS_QUAY_IO_URL: upstreams cannot be set in the environment; allowed: the configuration file',
    'LAYOVER_SOMETHING_ELSE: no key of this name; "layover settings schema" lists them',
    'LAYOVER_OFFLINE: "maybe" is not allowed; true or false is',
    '--listen: "80" is not an address; allowed: host:port, "[::1]:8080" (in quotes) or :8080',
  ]);
});

test('every fault of every kind comes at once, in the order of the file', () => {
  const faults = faultsOf(
    'offlin: true\ndrain: x\ndrain: 1s\nhosted: [A]\ntags: 3\nupstreams:\n  x.io:\n    url: 3\n    credentials: { username: 3, helper: h }\n',
    {
      environment: { LAYOVER_X: '1' },
      overrides: [{ flag: '--log-level', key: 'log.level', value: 'x' }],
    },
  );
  assert.deepEqual(
    faults.map((fault) => fault.split(': ')[0]),
    [
      'c.yaml:1:1 offlin',
      'c.yaml:2:8 drain',
      'c.yaml:3:1 drain',
      'c.yaml:4:10 hosted[0]',
      'c.yaml:5:7 tags',
      'c.yaml:8:10 upstreams.x.io.url',
      'c.yaml:9:18 upstreams.x.io.credentials',
      'c.yaml:9:30 upstreams.x.io.credentials.username',
      'LAYOVER_X',
      '--log-level',
    ],
  );
});

test('no fault repeats a secret', () => {
  const faults = faultsOf(`
upstreams:
  a.io: { url: "https://u:hunter2@a.io/v2", proxy: [hunter2], credentials: [hunter2], headers: hunter2 }
  b.io: { credentials: { username: u, password: [hunter2], passwordFile: x }, proxy: "ftp://hunter2" }
  c.io: { headers: { Authorization: [hunter2], "X-Token": "hunter2\\n" }, mirrors: ["http://hunter2@x"] }
`);
  assert.equal(faults.length, 10);
  assert.ok(!faults.join('\n').includes('hunter2'), faults.join('\n'));
});

test('any text and any values load or are refused with places, never anything else', () => {
  const keys = fc.constantFrom(
    'listen',
    'tags',
    'tls',
    'upstreams',
    'storage',
    'hosted',
    'x.io',
    'credentials',
    'aliases',
    'headers',
    'url',
    '<<',
    '__proto__',
    'constructor',
    'toString',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.dictionary(keys, tie('tree')),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  }));
  const text = fc.string({
    unit: fc.constantFrom(...Array.from('ab:-[]{}&*!|>\'"%@#? \n\t,')),
    maxLength: 40,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        tree.map((value) => JSON.stringify(value)),
      ),
      (written) => {
        for (const fault of faultsOf(written)) assert.match(fault, /^c\.yaml:\d+:\d+[ :]/);
      },
    ),
    { numRuns: 300 },
  );
});

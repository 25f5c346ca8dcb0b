import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { findImages, LARGEST_FILE } from '../../../src/image/finder/find.ts';
import type { Finding } from '../../../src/image/finder/finding.ts';
import { parseReference } from '../../../src/image/location.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

function find(text: string, file = 'file', variables: Record<string, string> = {}) {
  return findImages({ file, text, variables: (name) => variables[name] });
}

/** `line path image`, `line path -` for what was passed over, `line path ! text` for what cannot be used. */
function brief(findings: readonly Finding[]): readonly string[] {
  return findings.map((one) => {
    const place = `${one.line} ${one.path}`.trim();
    switch (one.kind) {
      case 'image':
        return `${place} ${one.image}`;
      case 'skipped':
        return `${place} -`;
      case 'unusable':
        return `${place} ! ${one.written}`.trim();
    }
  });
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  managedFields: [{ fieldsV1: { image: x y } }]
spec:
  template:
    spec:
      initContainers:
        - { name: init, image: busybox }
      containers:
        - name: web
          image: "nginx:1.27" # the one
        - name: side
          image: ghcr.io/org/side@${DIGEST}
      ephemeralContainers:
        - image: alpine:3.20
      volumes:
        - name: data
          image: { reference: quay.io/data/set:v2, pullPolicy: IfNotPresent }
status:
  image: no/such
`;

const TABLE: readonly (readonly [what: string, text: string, found: readonly string[]])[] = [
  [
    'a list',
    '# mine\nnginx\n\n  docker.io/library/alpine:3.20   # why\r\nlocalhost:5000/a/b:c\nx:1.*\n',
    [
      '2 docker.io/library/nginx:latest',
      '4 docker.io/library/alpine:3.20',
      '5 localhost:5000/a/b:c',
      '6 docker.io/library/x:1.*',
    ],
  ],
  [
    'what is wrong in a list',
    'nginx\nUp/X\nx*:1\n',
    ['1 docker.io/library/nginx:latest', '2 ! Up/X', '3 ! x*:1'],
  ],
  ['an empty file', '', []],
  ['comments alone', '# nothing\n', []],
  [
    'a deployment',
    deployment,
    [
      '10 spec.template.spec.initContainers[0].image docker.io/library/busybox:latest',
      '13 spec.template.spec.containers[0].image docker.io/library/nginx:1.27',
      `15 spec.template.spec.containers[1].image ghcr.io/org/side@${DIGEST}`,
      '17 spec.template.spec.ephemeralContainers[0].image docker.io/library/alpine:3.20',
      '20 spec.template.spec.volumes[0].image.reference quay.io/data/set:v2',
    ],
  ],
  [
    'several documents, one of them broken, a secret and a definition',
    `---\nkind: Pod\napiVersion: v1\nspec: { containers: [{ image: a/b:1 }] }\n--- # two\nkind: [\n---\nkind: Secret\napiVersion: v1\ndata: { image: bm8= }\n---\nkind: CustomResourceDefinition\napiVersion: x/v1\nspec: { properties: { image: { type: string } } }\n...\n---\nimage: c/d:2\n`,
    ['4 spec.containers[0].image docker.io/a/b:1', '7 !', '17 image docker.io/c/d:2'],
  ],
  [
    'a List in JSON',
    JSON.stringify(
      {
        apiVersion: 'v1',
        kind: 'List',
        items: [
          {
            kind: 'CronJob',
            apiVersion: 'batch/v1',
            spec: {
              jobTemplate: { spec: { template: { spec: { containers: [{ image: 'a/b:1' }] } } } },
            },
          },
          {
            kind: 'Pod',
            apiVersion: 'v1',
            spec: { containers: [{ image: 'c/d:2' }] },
            status: { containerStatuses: [{ image: 'e/f:3', imageID: 'sha256:0' }] },
          },
        ],
      },
      undefined,
      1,
    ),
    [
      '15 items[0].spec.jobTemplate.spec.template.spec.containers[0].image docker.io/a/b:1',
      '30 items[1].spec.containers[0].image docker.io/c/d:2',
    ],
  ],
  [
    'typed lists, whose items need not say what they are, and objects without a version',
    `kind: SecretList
items: [{ data: { image: c2VjcmV0 } }, { kind: Pod, apiVersion: v1, spec: { image: a/b:1 } }]
---
kind: Secret
stringData: { image: secret }
---
kind: ConfigMap
apiVersion: v1
data: { image: data }
---
kind: PodList
apiVersion: v1
metadata: { image: list }
items:
  - metadata: { annotations: { image: annotation } }
    spec: { containers: [{ image: c/d:2 }] }
    status: { containerStatuses: [{ image: was }] }
---
kind: ConfigMapList
items: [{ data: { image: data } }]
---
kind: List
items: [{ kind: Secret, data: { image: secret } }, { spec: { image: e/f:3 } }]
`,
    [
      '2 items[1].spec.image docker.io/a/b:1',
      '16 items[0].spec.containers[0].image docker.io/c/d:2',
      '23 items[1].spec.image docker.io/e/f:3',
    ],
  ],
  [
    'custom resources',
    `kind: Cluster
apiVersion: postgresql.cnpg.io/v1
spec:
  imageName: ghcr.io/cloudnative-pg/postgresql:17.2
  thanos: { baseImage: quay.io/thanos/thanos }
  osImage: Debian GNU/Linux 12
  backgroundImage: img/back.png
  logo-image: cdn.example.com/logo.png
  env:
    - { name: RELATED_IMAGE_X, value: quay.io/op/x:1 }
    - { name: OTHER, value: quay.io/op/y:1 }
  images: [registry.k8s.io/pause:3.10, words, { image: x/y:1 }]
`,
    [
      '4 spec.imageName ghcr.io/cloudnative-pg/postgresql:17.2',
      '5 spec.thanos.baseImage quay.io/thanos/thanos:latest',
      '10 spec.env[0].value quay.io/op/x:1',
      '12 spec.images[0] registry.k8s.io/pause:3.10',
      '12 spec.images[2].image docker.io/x/y:1',
    ],
  ],
  [
    'values of a chart',
    `image:
  registry: ghcr.io
  repository: org/app
  tag: 1.10
sidecar: { image: { repository: quay.io/a/b, tag: "", digest: "${DIGEST}" } }
plain: { repository: a/b, tag: v1 }
named: { image: { name: x, tag: 2 } }
job: { image: { name: ruby:3.4, entrypoint: [""] } }
open: { image: { repository: c/d, tag: "" } }
chart: { repository: https://charts.example.com, tag: 1 }
global: { imageRegistry: "" }
`,
    [
      '3 image.repository ghcr.io/org/app:1.10',
      `5 sidecar.image.repository quay.io/a/b@${DIGEST}`,
      '6 plain.repository docker.io/a/b:v1',
      '7 named.image.name docker.io/library/x:2',
      '8 job.image.name docker.io/library/ruby:3.4',
      '9 open.image -',
    ],
  ],
  [
    'what kustomize puts in place of names',
    'kind: Kustomization\nimages:\n  - { name: nginx, newName: ghcr.io/org/nginx, newTag: "1.2" }\n  - { name: x, newTag: 1.10 }\n',
    ['3 images[0].name ghcr.io/org/nginx:1.2', '4 images[1].name docker.io/library/x:1.10'],
  ],
  [
    'templates, variables and nonsense',
    'a: { image: "{{ .Values.image }}" }\nb: { image: $(IMAGE) }\nc: { image: "${IMAGE}" }\nd: { image: }\ne: { image: no good }\nf: { image: true }\ng: { image: [x] }\n',
    [
      '1 a.image ! {{ .Values.image }}',
      '2 b.image ! $(IMAGE)',
      '3 c.image ! ${IMAGE}',
      '4 d.image -',
      '5 e.image ! no good',
      '6 f.image ! true',
    ],
  ],
  [
    'anchors',
    'a: { image: &one "x/y:1" }\nb: { image: *one }\nc: { image: *none }\nd: &two { image: z/z:2 }\ne: *two\n',
    [
      '1 a.image docker.io/x/y:1',
      '2 b.image docker.io/x/y:1',
      '3 c.image !',
      '4 d.image docker.io/z/z:2',
    ],
  ],
  [
    'anchors that are there',
    'a: { image: &one "x/y:1" }\nb: { image: *one }\nd: &two { image: z/z:2 }\ne: *two\n',
    ['1 a.image docker.io/x/y:1', '2 b.image docker.io/x/y:1', '3 d.image docker.io/z/z:2'],
  ],
  [
    'what helm template writes',
    `---\n# Source: app/templates/a.yaml\napiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: "nginx:1.27"\n---\n# Source: app/templates/b.yaml\n---\n# Source: app/templates/c.yaml\nspec: { image: a/b:1 }\n`,
    ['7 spec.containers[0].image docker.io/library/nginx:1.27', '12 spec.image docker.io/a/b:1'],
  ],
  [
    'what helm install --dry-run writes, with its notes',
    `NAME: app\nLAST DEPLOYED: Sat Nov 21\nSTATUS: pending-install\nHOOKS:\n---\n# Source: app/templates/test.yaml\nkind: Pod\napiVersion: v1\nspec: { containers: [{ image: busybox }] }\nMANIFEST:\n---\n# Source: app/templates/a.yaml\nspec: { image: a/b:1 }\n\nNOTES:\n1. Get it: {{ nothing }}\n  image: no/such:1\n\t:-)\n`,
    [
      '9 spec.containers[0].image docker.io/library/busybox:latest',
      '13 spec.image docker.io/a/b:1',
    ],
  ],
  [
    'a compose file',
    `name: app
x-common: &common
  image: common/base:1
  volumes: [{ type: image, source: vol/ume:1, target: /x }, "a:/b"]
services:
  web:
    image: "nginx:\${TAG:-1.27}"
    build: .
  worker: { <<: *common, profiles: [later] }
  built: { build: . }
  open: { image: "app:\${MISSING}" }
  must: { image: "\${MUST:?say which}" }
  set: { image: "$NAME/app:\${V}$$" }
  given: { image: "\${NAME-x}/app:\${V}" }
  other: { extends: { service: web } }
`,
    [
      '7 services.web.image docker.io/library/nginx:1.27',
      '3 services.worker.image docker.io/common/base:1',
      '4 services.worker.volumes[0].source docker.io/vol/ume:1',
      '10 services.built -',
      '11 services.open.image ! app:${MISSING}',
      '12 services.must.image ! ${MUST:?say which}',
      '13 services.set.image ! ghcr.io/me/app:7$',
      '14 services.given.image ghcr.io/me/app:7',
      '15 services.other -',
    ],
  ],
  [
    'a compose file, as its services say when to pull',
    `include: [third.yaml]
services:
  both: { image: a/b:1, build: . }
  never: { image: a/b:2, pull_policy: never }
  local: { image: a/b:3, build: ., pull_policy: build }
  far: { extends: { file: other.yaml, service: x } }
  number: { image: 5 }
`,
    [
      '1 include[0] -',
      '3 services.both.image docker.io/a/b:1',
      '4 services.never -',
      '5 services.local -',
      '6 services.far.extends -',
      '7 services.number.image ! 5',
    ],
  ],
  [
    'a template that has not been rendered',
    'a: 1\nspec:\n  image: {{ .Values.x }}\n---\n# {{ no }}\nb: 1\n\nimage: {{ .x }}:{{ .y }}\n---\nc: { image: "{{ x }}" }\n',
    ['3 spec.image !', '8 !', '10 c.image ! {{ x }}'],
  ],
  [
    'what is no text',
    'image: 5\nx: { image: 1.50 }\ny: { image: "5" }\n',
    ['1 image ! 5', '2 x.image ! 1.50', '3 y.image docker.io/library/5:latest'],
  ],
  [
    'a list in YAML',
    '- nginx:1\n- a/b\n',
    ['1 [0] docker.io/library/nginx:1', '2 [1] docker.io/a/b:latest'],
  ],
  [
    'a list in JSON',
    '["nginx:1", "a/b"]',
    ['1 [0] docker.io/library/nginx:1', '1 [1] docker.io/a/b:latest'],
  ],
];

suite('images are found in', () => {
  for (const [what, text, found] of TABLE) {
    test(what, () => {
      assert.deepEqual(brief(find(text, 'file', { NAME: 'ghcr.io/me', V: '7' })), found);
    });
  }
});

test('the ending of a name tells a list from YAML', () => {
  assert.deepEqual(brief(find('nginx\n', 'a.txt')), ['1 docker.io/library/nginx:latest']);
  assert.deepEqual(brief(find('image: x\n', 'a.list')), ['1 ! image: x']);
  assert.deepEqual(brief(find('nginx\n', 'a.yaml')), []);
});

test('every line of a list is a finding, with the image that clients would pull', () => {
  const name = fc.stringMatching(/^[a-z0-9]{1,8}(\/[a-z0-9]{1,8}){0,2}(:[a-z0-9][a-z0-9.]{0,5})?$/);
  fc.assert(
    fc.property(fc.array(fc.oneof(name, fc.constant(''), fc.constant('# c'))), (lines) => {
      const wanted = lines.flatMap((line, index) => {
        if (line === '' || line.startsWith('#')) return [];
        const { repository, at } = parseReference(line);
        return [`${index + 1} ${repository.host}/${repository.path}:${at}`];
      });
      assert.deepEqual(brief(find(lines.join('\n'), 'a.txt')), wanted);
    }),
  );
});

const RUNS = { numRuns: 60 };

test('whatever a file holds is read, or told not to be', () => {
  const key = fc.constantFrom(
    'image',
    'images',
    'services',
    'kind',
    'apiVersion',
    'x',
    '<<',
    'name',
    'tag',
    'repository',
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.array(tie('node')),
      fc.dictionary(key, tie('node')),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (value) => void find(JSON.stringify(value), 'a.json')),
    RUNS,
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => void find(text, 'a.yaml')),
    RUNS,
  );
  fc.assert(
    fc.property(fc.string(), (text) => void find(text)),
    RUNS,
  );
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          '---\n',
          '- ',
          '  ',
          'image: ',
          '&a ',
          '*a',
          '\n',
          '{',
          '}',
          '[',
          ']',
          '"',
          '|\n',
          '<<: ',
          '${',
          '}',
          ':',
          '#',
          '? ',
          '!!set ',
        ),
      ),
      (parts) => void find(parts.join(''), 'a.yaml'),
    ),
    RUNS,
  );
});

test(
  'hostile YAML costs little: bombs of aliases, depth, size, and one long name',
  { timeout: 60_000 },
  () => {
    const before = performance.now();
    const bomb = `a0: &a0 [x, x]\n${Array.from({ length: 40 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}, *a${index}]\n`).join('')}image: x/y:1\n`;
    assert.deepEqual(brief(find(bomb, 'a.yaml')), ['42 image docker.io/x/y:1']);
    const merges = `services:\n  a: &a { <<: [*a, *a] }\n  b: { <<: [*a, *a], image: x/y:1 }\n`;
    assert.equal(find(merges, 'a.yaml').length > 0, true);
    const deep = find('['.repeat(50_000), 'a.yaml');
    assert.equal(deep[0]?.kind, 'unusable');
    const nested = find(`${'{"a":'.repeat(300)}{"image":"x/y:1"}${'}'.repeat(300)}`, 'a.json');
    assert.deepEqual(
      nested.map(({ kind }) => kind),
      ['unusable'],
    );
    const huge = find(
      `image: ${'x'.repeat(1_000_000)}\nfooImage: ${'a'.repeat(1_000_000)}\n`,
      'a.yaml',
    );
    assert.deepEqual(
      huge.map(({ kind }) => kind),
      ['unusable'],
    );
    assert.match(JSON.stringify(find('x: 1\n'.repeat(500_000), 'a.yaml')), /divide it/);
    assert.match(JSON.stringify(find(' '.repeat(LARGEST_FILE + 1), 'a.yaml')), /divide it/);
    const spaces = `${' '.repeat(4000)}a b\n`.repeat(2000);
    assert.equal(find(spaces, 'a.txt').length, 2000);
    const dots = Array.from({ length: 500 }, (_, i) => `k${i}Image: ${'.'.repeat(2000)}`).join(
      '\n',
    );
    assert.deepEqual(find(dots, 'a.yaml'), []);
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join(', ');
    const services = Array.from({ length: 10_000 }, (_, i) => `  s${i}: { <<: *a }`).join('\n');
    assert.equal(find(`x-a: &a { ${keys} }\nservices:\n${services}\n`, 'a.yaml').length, 10_000);
    assert.deepEqual(find('#\n'.repeat(5_000_000), 'a.yaml'), []);
    const long = find(`${'k'.repeat(100_000)}: { image: x/y:1 }\n`, 'a.yaml');
    assert.ok(long[0]!.path.length < 600);
    const many = find('a/b:1\n'.repeat(30_000), 'a.txt');
    assert.equal(many.length, 20_001);
    assert.equal(many.at(-1)?.kind, 'unusable');
    assert.ok(performance.now() - before < 30_000);
  },
);

for (const [how, text] of [
  [
    'YAML',
    (items: readonly object[]) =>
      `apiVersion: v1\nitems:\n${items.map((item) => `- ${JSON.stringify(item, undefined, 1).replaceAll('\n', '\n  ')}\n`).join('')}kind: List\nimage: last/one\n`,
  ],
  [
    'JSON',
    (items: readonly object[]) =>
      JSON.stringify({ apiVersion: 'v1', items, kind: 'List' }, undefined, 4),
  ],
  ['JSON on one line', (items: readonly object[]) => JSON.stringify({ items })],
] as const) {
  test(`a large list as kubectl writes it is read item by item: ${how}`, () => {
    const items = Array.from({ length: 300 }, (_, index) => ({
      kind: 'Pod',
      metadata: { annotations: { text: `"]}\\" - x\n- image: no/${'x'.repeat(300)}` } },
      spec: { containers: [{ image: `a/b:${index}` }] },
    }));
    const written = text(items);
    const found = find(written, 'a.yaml').filter(({ path }) => path !== 'image');
    assert.equal(found.length, 300);
    const lines = written.split('\n');
    for (const [index, one] of found.entries()) {
      assert.equal(one.kind === 'image' && one.image, `docker.io/a/b:${index}`);
      assert.equal(one.path, `items[${index}].spec.containers[0].image`);
      assert.ok(lines[one.line - 1]?.includes(`a/b:${index}"`), `${one.line}`);
    }
    assert.equal(find(written, 'a.yaml').length, how === 'YAML' ? 301 : 300);
  });
}

for (const [how, text] of [
  ['its kind first', (items: object) => JSON.stringify({ kind: 'SecretList', items })],
  ['its kind last', (items: object) => JSON.stringify({ items, kind: 'SecretList' }, undefined, 2)],
  [
    'YAML',
    (items: readonly object[]) =>
      `items:\n${items.map((item) => `- ${JSON.stringify(item)}\n`).join('')}kind: SecretList\n`,
  ],
] as const) {
  test(`nothing is taken out of a large list of secrets that do not say so: ${how}`, () => {
    const data = { image: 'secret', more: 'x'.repeat(300) };
    const items = Array.from({ length: 300 }, () => ({ data }));
    const pod = { kind: 'Pod', spec: { image: 'a/b:1' } };
    const [found, ...more] = find(text([...items, pod]), 'a.yaml');
    assert.equal(found?.kind === 'image' && found.image, 'docker.io/a/b:1');
    assert.deepEqual(more, []);
  });
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseImageManifest } from '../../../src/core/image-manifest.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import { diffImages, type Compared, type FileChange } from '../../../src/image/files/diff.ts';
import { pattern } from '../../fixtures/collect.ts';
import { buildImage, type BuiltImage } from '../../fixtures/image-builder.ts';
import {
  file,
  folder,
  hardlink,
  opaque,
  symlink,
  whiteout,
  type Item,
} from '../../fixtures/layer-builder.ts';

const compared = (image: BuiltImage, config: unknown = {}): Compared => ({
  source: image.source,
  repository: image.repository,
  manifest: parseImageManifest(image.manifest.bytes),
  config,
});

const tell = (change: FileChange): string =>
  `${change.kind} ${change.path}${change.kind === 'changed' ? ` ${change.what.join(',')}` : ''}`;

async function diff(
  before: readonly (readonly Item[])[],
  after: readonly (readonly Item[])[],
): Promise<string[]> {
  const images = [buildImage(before), buildImage(after)] as const;
  const { files } = await diffImages(compared(images[0]), compared(images[1]));
  assert.equal(images[0].source.open + images[1].source.open, 0);
  return files.map(tell);
}

describe('what sets two images apart', () => {
  const base = [
    folder('etc'),
    file('etc/a', 'a'),
    file('etc/b', 'b'),
    file('etc/deep/c', 'c'),
    symlink('l', 'etc/a'),
    file('same', 'same'),
  ];

  test('files added, removed, changed, against a base that both have', async () => {
    const before = [base, [file('etc/b', 'B'), file('gone', 'x')]];
    const after = [
      base,
      [
        file('etc/a', 'A'),
        symlink('l', 'etc/b'),
        whiteout('etc/deep'),
        file('same', 'same', { mtime: 1 }),
      ],
      [file('new', 'n'), file('etc/b', 'b', { mode: 0o600, uid: 5 })],
    ];
    assert.deepEqual(await diff(before, after), [
      'changed etc/a content',
      'changed etc/b mode,owner,content',
      'removed etc/deep',
      'removed etc/deep/c',
      'removed gone',
      'changed l link',
      'added new',
    ]);
  });

  test('the same file system in other layers is no difference', async () => {
    assert.deepEqual(
      await diff(
        [[...base, file('x', 'x')]],
        [
          [...base, file('y', 'y')],
          [whiteout('y'), file('x', 'x')],
        ],
      ),
      [],
    );
    assert.deepEqual(
      await diff([[file('t', 't'), hardlink('h', 't')]], [[file('t', 't'), file('h', 't')]]),
      [],
    );
  });

  test('a file in place of a folder, an emptied folder', async () => {
    assert.deepEqual(await diff([base, [file('z')]], [base, [file('z'), file('etc', 'x')]]), [
      'changed etc type,mode,size,content',
      'removed etc/a',
      'removed etc/b',
      'removed etc/deep',
      'removed etc/deep/c',
    ]);
    assert.deepEqual(await diff([base], [base, [opaque('etc')]]), [
      'removed etc/a',
      'removed etc/b',
      'removed etc/deep',
      'removed etc/deep/c',
    ]);
  });

  test('layers that both have at the bottom: unread when that is all, read once otherwise, contents passed over', async () => {
    const layers = [[file('large', pattern(4_000_000))], [file('small')]];
    const one = buildImage(layers, { packing: 'none' });
    const same = buildImage(layers, { packing: 'none' });
    assert.deepEqual((await diffImages(compared(one), compared(same))).files, []);
    assert.deepEqual([one.source.calls, same.source.calls], [[], []]);
    const more = buildImage([...layers, [file('more')]], { packing: 'none' });
    let fetched = 0;
    const result = await diffImages(compared(one), compared(more), {
      observe: ({ bytes }) => (fetched += bytes),
    });
    assert.deepEqual(result.files.map(tell), ['added more']);
    assert.equal(more.source.calls.length, 1);
    assert.ok(fetched < 400_000, `${fetched}`);
    assert.deepEqual(
      [result.layers.common.length, result.layers.removed.length, result.layers.added.length],
      [2, 0, 1],
    );
  });

  test('configs by member', async () => {
    const image = buildImage([[file('a')]]);
    const { config } = await diffImages(
      compared(image, { os: 'linux', config: { Env: ['A=1'], User: 'x' } }),
      compared(image, { os: 'linux', config: { Env: ['A=2'], Cmd: ['sh'] } }),
    );
    assert.deepEqual(config, [
      { path: ['config', 'Env'], before: ['A=1'], after: ['A=2'] },
      { path: ['config', 'User'], before: 'x' },
      { path: ['config', 'Cmd'], after: ['sh'] },
    ]);
  });

  test('wrong bytes are no difference but an error', async () => {
    const good = buildImage([[file('a')]]);
    const bad = buildImage([[file('a', pattern(100_000))]], { packing: 'none' });
    bad.source.behave({ shortAt: 50_000 });
    await assert.rejects(
      diffImages(compared(good), compared(bad)),
      (error: unknown) => error instanceof RegistryError && error.code === 'SIZE_INVALID',
    );
    assert.equal(bad.source.open, 0);
  });
});

import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { digestOf } from '../../src/core/digest.ts';
import { Paths } from '../../src/store/paths.ts';
import { existingStore } from '../../src/store/disk.ts';
import { verify } from '../../src/store/verify.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { gate } from '../fixtures/gate.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { generatedBytes } from '../fixtures/registry-content.ts';
import { replace, server } from './server.ts';

const BLOBS = { method: 'GET', path: /\/blobs\// };
const TOKENS = { path: /^\/token/ };
const SIZE = 3_000_000;
const hub = (url: string, more = ''): string =>
  `upstreams: { docker.io: { url: "${url}" ${more}} }\n`;

suite('what is under way', { timeout: 60_000, concurrency: 3 }, () => {
  for (const [what, after] of [
    ['its upstream is removed', 'upstreams: { docker.io: off }\ndefaultUpstream: quay.io\n'],
    ['its upstream is another one', hub('http://127.0.0.1:9')],
    ['nothing is to be asked any more', 'offline: true\n'],
  ] as const) {
    test(`a download goes on to its end when ${what}`, async () => {
      await using origin = await startRegistry();
      const digest = origin.addBlob({ size: SIZE, seed: 3 }, 'library/x');
      const held = gate();
      origin.misbehave(BLOBS, { kind: 'hold-body', at: 1_000_000, gate: held });
      await using running = await server(hub(origin.url));
      const blob = `/v2/docker.io/library/x/blobs/${digest}`;
      const first = await fetch(running.url + blob);
      assert.equal(first.status, 200);
      const { changed } = await running.change(after);
      assert.ok(
        (changed as string[]).some((key) => key.includes('docker.io') || key === 'offline'),
      );
      const other = origin.addBlob({ size: 1000, seed: 4 }, 'library/x');
      const refused = await running.get(`/v2/docker.io/library/x/blobs/${other}`);
      if (what.includes('removed')) {
        assert.equal(refused.status, 404);
        assert.match(refused.text, /no key upstreams\.docker\.io/);
      } else {
        assert.ok(refused.status >= 400, refused.text);
      }
      held.open();
      const bytes = new Uint8Array(await first.arrayBuffer());
      assert.equal(digestOf(bytes), digest);
      assert.equal(origin.count(BLOBS), 1);
      await running.told('download-ended');
      assert.deepEqual(await running.metric('layover_downloads_in_flight'), {
        '{upstream="docker.io"}': 0,
      });
    });
  }

  for (const [what, after] of [
    ['is removed', () => 'upstreams: { docker.io: off }\ndefaultUpstream: quay.io\n'],
    ['is another one', (url: string) => hub(url)],
  ] as const) {
    test(`a manifest comes from where its tag was looked up, though that upstream ${what}`, async () => {
      await using pair = await two();
      const [origin, other] = pair;
      const { manifest } = origin.addImage('library/x', 'v1', { layers: ['one'] });
      other.addImage('library/x', 'v1', { layers: ['other'] });
      const held = gate();
      const look = { method: 'HEAD', path: /manifests/ };
      origin.misbehave(look, { kind: 'hold-headers', gate: held });
      await using running = await server(hub(origin.url));
      const answer = fetch(`${running.url}/v2/docker.io/library/x/manifests/v1`);
      await origin.seen(look);
      await running.change(after(other.url));
      held.open();
      const { status, headers } = await answer;
      assert.equal(status, 200);
      assert.equal(headers.get('docker-content-digest'), manifest.digest);
    });
  }

  test('a cut download is taken up again at the upstream it came from, which has left', async () => {
    await using origin = await startRegistry();
    const digest = origin.addBlob({ size: SIZE, seed: 3 }, 'library/x');
    const held = gate();
    origin.misbehave({ ...BLOBS, times: 1 }, { kind: 'cut', at: 2_000_000 });
    origin.misbehave({ ...BLOBS, times: 1 }, { kind: 'hold-body', at: 1_000_000, gate: held });
    await using running = await server(hub(origin.url));
    const first = await fetch(`${running.url}/v2/docker.io/library/x/blobs/${digest}`);
    await running.change('upstreams: { docker.io: off }\ndefaultUpstream: quay.io\n');
    held.open();
    assert.equal(digestOf(new Uint8Array(await first.arrayBuffer())), digest);
    assert.equal(origin.count(BLOBS), 2);
  });
});

suite('a configuration with faults', { timeout: 60_000, concurrency: 3 }, () => {
  test('changes nothing, and all of its faults are told with their places', async () => {
    await using origin = await startRegistry();
    origin.addImage('library/x', 'v1');
    await using running = await server(hub(origin.url));
    const before = await running.metric('layover_config_last_reload_success_timestamp_seconds');
    // After the lines for where it listens and what it stores.
    const broken = [
      hub('http://127.0.0.1:9'),
      'drain: soon',
      'offline: perhaps',
      'storage: { maxSize: large, lowWater: 7, path: FOLDER/data }',
      'hosted: ["UPPER/**"]',
      'whenRateLimited: 500',
      'log: { level: loud }',
      'tags: { freshFor: never }',
      'nonsense: 1',
      'defaultUpstream: quay',
    ].join('\n');
    for (const ask of [() => running.change(broken), () => running.hangup()]) {
      const { level, faults } = await ask();
      assert.equal(level, 'error');
      const places = (faults as string[]).map((fault) =>
        fault.replace(`${running.file}:`, '').replace(/:.*? /s, ' ').replace(/: .*/s, ''),
      );
      assert.deepEqual(places, [
        '5 drain',
        '6 offline',
        '7 storage.maxSize',
        '7 storage.lowWater',
        '8 hosted[0]',
        '9 whenRateLimited',
        '10 log.level',
        '11 tags.freshFor',
        '12 nonsense',
        '13 defaultUpstream',
      ]);
    }
    assert.equal((await running.get('/v2/library/x/manifests/v1')).status, 200);
    assert.deepEqual(await running.metric('layover_config_reloads_total'), {
      '{result="success"}': 0,
      '{result="failure"}': 2,
    });
    assert.deepEqual(await running.metric('layover_config_last_reload_successful'), { '': 0 });
    assert.deepEqual(
      await running.metric('layover_config_last_reload_success_timestamp_seconds'),
      before,
    );
    const mended = await running.change(hub(origin.url));
    assert.deepEqual([mended['changed'], mended['level']], [[], 'info']);
    assert.deepEqual(await running.metric('layover_config_last_reload_successful'), { '': 1 });
  });

  test('among them files that it names and that are not there: when they come it is in effect', async () => {
    await using running = await server('{}\n'.replace('{}', 'drain: 30s'));
    const ca = running.at('certificates', 'ca.pem');
    const wanted = `drain: 7s\nupstreams: { x.io: { tls: { ca: "${ca}" } } }\n`;
    const refused = await running.change(wanted);
    assert.deepEqual(refused['faults'], [
      `${running.file}:5:33 upstreams.x.io.tls.ca: ${ca}: there is no such file`,
    ]);
    await mkdir(path.dirname(ca));
    const mended = await running.outcome(() => writeFile(ca, certificateAuthority().ca));
    assert.deepEqual(mended['changed'], ['drain', 'upstreams.x.io']);
  });

  test('or none in it at all, where there was something: it is not taken for the defaults', async () => {
    await using origin = await startRegistry();
    origin.addImage('library/x', 'v1');
    await using running = await server(hub(origin.url));
    const gone = await running.outcome(() => rm(running.file));
    assert.match(String(gone['faults']), /there is no such file/);
    const empty = await running.outcome(() => writeFile(running.file, ''));
    assert.match(String(empty['faults']), /it is empty/);
    assert.equal((await running.get('/v2/library/x/manifests/v1')).status, 200);
  });
});

suite('a file that changes', { timeout: 60_000, concurrency: 3 }, () => {
  test('is in effect without a signal, however it is replaced; the same content is no change', async () => {
    await using running = await server('drain: 30s\n');
    assert.deepEqual((await running.change('drain: 1s\n'))['changed'], ['drain']);
    const renamed = await running.outcome(() =>
      replace(running.file, running.textOf('drain: 2s\n')),
    );
    assert.deepEqual([renamed['changed'], renamed['cause']], [['drain'], 'files']);
    await replace(running.file, running.textOf('drain: 2s\n'));
    await writeFile(running.file, running.textOf('drain: 2s\n'));
    await delay(1_000);
    assert.deepEqual(await running.metric('layover_config_reloads_total'), {
      '{result="success"}': 2,
      '{result="failure"}': 0,
    });
    const asked = await running.hangup();
    assert.deepEqual([asked['changed'], asked['cause']], [[], 'signal']);
  });

  test('by the swap of a ConfigMap is in effect, each time', async () => {
    let version = 0;
    const put = async (file: string, text: string): Promise<void> => {
      version += 1;
      const at = (...parts: string[]): string => path.join(path.dirname(file), ...parts);
      await mkdir(at(`..${version}`), { recursive: true });
      await writeFile(at(`..${version}`, 'layover.yaml'), text);
      await symlink(`..${version}`, at('..data_tmp'));
      await rename(at('..data_tmp'), at('..data'));
      if (version === 1) await symlink(path.join('..data', 'layover.yaml'), file);
      else await rm(at(`..${version - 1}`), { recursive: true });
    };
    await using running = await server('drain: 30s\n', { config: 'etc/layover.yaml', put });
    for (const seconds of [1, 2, 3]) {
      assert.deepEqual((await running.change(`drain: ${seconds}s\n`))['changed'], ['drain']);
    }
  });

  test('does not win over flags and the environment', async () => {
    await using running = await server('drain: 30s\n', {
      flags: ['--default-upstream', 'quay.io'],
      environment: { LAYOVER_TAGS_FRESH_FOR: '7m' },
    });
    const text = 'drain: 1s\ndefaultUpstream: ghcr.io\ntags: { freshFor: 1s }\n';
    assert.deepEqual((await running.change(text))['changed'], ['drain']);
  });
});

suite('a reload', { timeout: 60_000, concurrency: 3 }, () => {
  test('brings an upstream that can be pulled from, and counts what it does', async () => {
    await using pair = await two();
    const [origin, added] = pair;
    added.addImage('team/app', 'v1');
    await using running = await server(hub(origin.url));
    const image = '/v2/new.example/team/app/manifests/v1';
    assert.match((await running.get(image)).text, /no key upstreams\.new\.example/);
    const both = `upstreams: { docker.io: { url: "${origin.url}" }, new.example: { url: "${added.url}" } }\n`;
    assert.deepEqual((await running.change(both))['changed'], ['upstreams.new.example']);
    assert.equal((await running.get(image)).status, 200);
    const requests = await running.metric('layover_upstream_requests_total');
    assert.ok(Object.keys(requests).some((labels) => labels.includes('upstream="new.example"')));
    assert.deepEqual(await running.metric('layover_upstream_up'), {
      '{upstream="new.example"}': 1,
    });
    await running.change(hub(origin.url));
    assert.deepEqual(await running.metric('layover_upstream_up'), {});
  });

  test('leaves an upstream alone that is as it was: it keeps its token; another password asks for one', async () => {
    const auth = { kind: 'bearer', username: 'me', password: 'right' } as const;
    await using origin = await startRegistry({ auth });
    for (const tag of ['v1', 'v2', 'v3']) origin.addImage('library/x', tag);
    const login = (password: string): string =>
      hub(origin.url, `, credentials: { username: me, password: ${password} }`);
    await using running = await server(login('right'));
    const pull = async (tag: string): Promise<number> =>
      (await running.get(`/v2/library/x/manifests/${tag}`)).status;
    assert.equal(await pull('v1'), 200);
    const tokens = origin.count(TOKENS);
    await running.change(`${login('right')}drain: 1s\ntags: { freshFor: 5m }\n`);
    assert.equal(await pull('v2'), 200);
    assert.equal(origin.count(TOKENS), tokens);
    const { changed } = await running.change(login('wrong'));
    assert.deepEqual(changed, [
      'tags.freshFor',
      'drain',
      'upstreams.docker.io.credentials.password',
    ]);
    assert.notEqual(await pull('v3'), 200);
    await running.change(login('right'));
    assert.equal(await pull('v3'), 200);
    assert.ok(!JSON.stringify(running.lines).includes('wrong'));
  });

  test('has an upstream asked again for what it said not to have, once it is another one', async () => {
    await using pair = await two();
    const [empty, origin] = pair;
    const digest = origin.addBlob({ size: 1000, seed: 1 }, 'library/x');
    const { manifest } = origin.addImage('library/x', 'v1');
    const lasting = 'tags: { notFoundFor: 1h }\n';
    await using running = await server(hub(empty.url) + lasting);
    const places = [`manifests/v1`, `manifests/${manifest.digest}`, `blobs/${digest}`];
    const statuses = () =>
      Promise.all(
        places.map(async (place) => (await running.get(`/v2/library/x/${place}`)).status),
      );
    assert.deepEqual(await statuses(), [404, 404, 404]);
    await running.change(hub(origin.url) + lasting);
    assert.deepEqual(await statuses(), [200, 200, 200]);
  });

  test('names what needs a restart, and has everything else in effect', async () => {
    await using running = await server('drain: 30s\n');
    const { port } = running;
    const text = `drain: 1s\nstorage: { path: ${running.at('elsewhere')}, minFree: 0 }\ntls: { cert: a, key: b }\n`;
    const { level, changed, needRestart } = await running.change(text);
    assert.deepEqual([level, changed, needRestart], ['warn', ['drain'], ['storage.path', 'tls']]);
    assert.equal((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200);
    assert.deepEqual(await running.metric('layover_config_keys_awaiting_restart'), { '': 2 });
    const { needRestart: again } = await running.hangup();
    assert.deepEqual(again, needRestart);
    assert.deepEqual((await running.change('drain: 1s\n'))['needRestart'], []);
    assert.deepEqual(await running.metric('layover_config_keys_awaiting_restart'), { '': 0 });
  });

  test('changes what is served and kept: offline, hosted, the default, the log, the budget', async () => {
    await using origin = await startRegistry();
    const here = origin.addBlob({ size: 400_000, seed: 1 }, 'library/x');
    const missing = origin.addBlob({ size: 400_000, seed: 2 }, 'library/x');
    await using running = await server(hub(origin.url));
    const blob = (digest: string) => running.get(`/v2/library/x/blobs/${digest}`);
    assert.equal((await blob(here)).status, 200);
    await running.told('download-ended');

    await running.change(`offline: true\n${hub(origin.url)}`);
    assert.equal((await blob(here)).status, 200);
    const refused = await blob(missing);
    assert.deepEqual([refused.status, /OFFLINE/.test(refused.text)], [404, true]);
    await running.change(hub(origin.url));
    assert.equal((await blob(missing)).status, 200);

    const push = () =>
      fetch(`${running.url}/v2/apps/x/blobs/uploads/`, { method: 'POST' }).then(
        ({ status }) => status,
      );
    assert.equal(await push(), 405);
    await running.change(`hosted: [apps/*]\n${hub(origin.url)}`);
    assert.equal(await push(), 202);

    await running.change(`defaultUpstream: none\n${hub(origin.url)}`);
    assert.match((await blob(here)).text, /there is no default/);
    assert.equal(await push(), 404);

    await running.change(`log: { level: debug }\n${hub(origin.url)}`);
    await running.get('/livez');
    await running.told('request', running.lines.length);

    const stored = async () =>
      Object.values(await running.metric('layover_storage_used_bytes'))[0] ?? 0;
    assert.ok((await stored()) >= 800_000);
    await running.change(
      `storage: { path: FOLDER/data, minFree: 0, maxSize: 500kB }\n${hub(origin.url)}`,
    );
    assert.deepEqual(await running.metric('layover_storage_limit_bytes'), { '': 500_000 });
    while ((await stored()) > 500_000) await delay(50);
  });

  test('changes how often is tried, and what clients are told', async () => {
    await using origin = await startRegistry();
    const digests = [1, 2].map((seed) => origin.addBlob({ size: SIZE, seed }, 'library/x'));
    origin.misbehave(BLOBS, { kind: 'cut', at: 1_000_000 });
    await using running = await server(`downloads: { retries: 0 }\n${hub(origin.url)}`);
    const pull = async (digest: string): Promise<string> => {
      const { status, text } = await running
        .get(`/v2/library/x/blobs/${digest}`)
        .catch(() => ({ status: 0, text: '' }));
      return status === 200 && text.length > 0 ? 'whole' : 'broken';
    };
    assert.equal(await pull(digests[0]!), 'broken');
    await running.change(`downloads: { retries: 5 }\n${hub(origin.url)}`);
    assert.equal(await pull(digests[1]!), 'whole');

    const limited = { status: 429, body: { errors: [{ code: 'TOOMANYREQUESTS', message: 'x' }] } };
    origin.misbehave({ path: /manifests/ }, { kind: 'status', ...limited });
    const status = async () => (await running.get('/v2/library/x/manifests/v1')).status;
    assert.equal(await status(), 429);
    await running.change(`whenRateLimited: 503\n${hub(origin.url)}`);
    assert.equal(await status(), 503);
  });

  test('is of the moment: of requests without end none is lost, refused or mixed', async () => {
    await using pair = await two();
    const [one, other] = pair;
    for (const [registry, from] of [
      [one, 'one'],
      [other, 'other'],
    ] as const) {
      for (let n = 0; n < 400; n += 1) registry.addImage('team/app', `v${n}`, { layers: [from] });
    }
    const at = (url: string): string =>
      `upstreams: { a.example: { url: "${url}", aliases: [first] } }\n`;
    await using running = await server(at(one.url));
    let ended = false;
    const failures: string[] = [];
    let pulls = 0;
    const client = async (offset: number): Promise<void> => {
      for (let n = offset; !ended && n < 400; n += 4) {
        const { status, text } = await running.get(`/v2/first/team/app/manifests/v${n}`);
        if (status !== 200) failures.push(`${status} ${text}`);
        pulls += 1;
      }
    };
    const clients = [0, 1, 2, 3].map((offset) => client(offset));
    for (const url of [other.url, one.url, other.url, one.url]) {
      const before = pulls;
      while (pulls < before + 10 && pulls < 380) await delay(5);
      await running.write(at(url));
      await running.hangup();
    }
    ended = true;
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.ok(one.requests.length > 0 && other.requests.length > 0);
  });
});

suite('certificates', { timeout: 60_000, concurrency: 3 }, () => {
  const authority = certificateAuthority();
  const shown = async (port: number): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.ca });
    try {
      await once(socket, 'secureConnect');
      return String(socket.getPeerCertificate().subjectaltname);
    } finally {
      socket.destroy();
    }
  };

  test('say when they expire, also once they have been renewed', async () => {
    const [from, to, later] = ['2020-01-01', '2030-03-01', '2031-05-06'].map((day) =>
      Date.parse(day),
    ) as [number, number, number];
    const renewed = authority.issueFor(new Date(from), new Date(later), '127.0.0.1');
    const old = authority.issueFor(new Date(from), new Date(to), '127.0.0.1');
    const put = async (file: string, text: string): Promise<void> => {
      // A chain: what expires first counts.
      await writeFile(path.join(path.dirname(file), 'tls.crt'), old.cert + authority.ca);
      await writeFile(path.join(path.dirname(file), 'tls.key'), old.key);
      await writeFile(file, text);
    };
    await using running = await server('tls: { cert: FOLDER/tls.crt, key: FOLDER/tls.key }\n', {
      put,
    });
    const told = async (): Promise<readonly number[]> => {
      const asked = get({
        port: running.port,
        host: '127.0.0.1',
        path: '/metrics',
        ca: authority.ca,
      });
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      const lines = (await text(response)).split('\n');
      return ['not_before', 'expiry'].map((which) => {
        const name = `layover_tls_certificate_${which}_timestamp_seconds `;
        return 1000 * Number(lines.find((line) => line.startsWith(name))?.slice(name.length));
      });
    };
    assert.deepEqual(await told(), [from, to]);
    await running.outcome(() => replace(running.at('tls.crt'), renewed.cert));
    assert.deepEqual(await told(), [from, to]);
    await running.outcome(() => replace(running.at('tls.key'), renewed.key));
    assert.deepEqual(await told(), [from, later]);
  });

  test('that are swapped are shown to who connects next; between the two files nothing changes', async () => {
    const [old, renewed] = [
      authority.issue('127.0.0.1', 'old.example'),
      authority.issue('127.0.0.1', 'new.example'),
    ];
    const put = async (file: string, text: string): Promise<void> => {
      await writeFile(path.join(path.dirname(file), 'tls.crt'), old.cert);
      await writeFile(path.join(path.dirname(file), 'tls.key'), old.key);
      await writeFile(file, text);
    };
    await using running = await server('tls: { cert: FOLDER/tls.crt, key: FOLDER/tls.key }\n', {
      put,
    });
    assert.match(await shown(running.port), /old\.example/);
    const half = await running.outcome(() => replace(running.at('tls.crt'), renewed.cert));
    assert.match(
      String(half['faults']),
      /:4:\d+ tls\.key: .* it is not the key of the certificate/,
    );
    assert.match(await shown(running.port), /old\.example/);
    const whole = await running.outcome(() => replace(running.at('tls.key'), renewed.key));
    assert.deepEqual(
      [whole['changed'], whole['renewed']],
      [[], [running.at('tls.crt'), running.at('tls.key')]],
    );
    assert.match(await shown(running.port), /new\.example/);
  });

  test('of an upstream that are swapped are believed at the next request', async () => {
    const [good, bad] = [certificateAuthority('good'), certificateAuthority('bad')];
    await using origin = await startRegistry({ tls: good.issue('127.0.0.1') });
    origin.addImage('library/x', 'v1');
    const put = async (file: string, text: string): Promise<void> => {
      await writeFile(path.join(path.dirname(file), 'ca.pem'), bad.ca);
      await writeFile(file, text);
    };
    await using running = await server(hub(origin.url, ', tls: { ca: FOLDER/ca.pem }'), { put });
    assert.equal((await running.get('/v2/library/x/manifests/v1')).status, 502);
    const { renewed } = await running.outcome(() => replace(running.at('ca.pem'), good.ca));
    assert.deepEqual(renewed, [running.at('ca.pem')]);
    assert.equal((await running.get('/v2/library/x/manifests/v1')).status, 200);
  });
});

test(
  'killed in the middle of reloads and downloads: the next start finds everything whole',
  { timeout: 120_000 },
  async () => {
    await using origin = await startRegistry();
    const digests = Array.from({ length: 12 }, (_, seed) =>
      origin.addBlob({ size: 500_000, seed: seed + 1 }, 'library/x'),
    );
    const texts = [1, 2].map((n) => `${hub(origin.url)}drain: ${n}s\nhosted: [apps${n}/*]\n`);
    await using running = await server(texts[0]!);
    for (let round = 0; round < 3; round += 1) {
      const pulls = digests
        .slice(round * 4, round * 4 + 4)
        .map((digest) => running.get(`/v2/library/x/blobs/${digest}`).catch(() => undefined));
      for (let n = 0; n < 20; n += 1) {
        await running.write(texts[n % 2]!);
        running.signal('SIGHUP');
        await delay(round * 3);
      }
      await running.stop('SIGKILL');
      await Promise.all(pulls);
      const paths = new Paths(running.at('data'));
      const store = await existingStore({ paths });
      assert.ok(store !== undefined);
      for await (const { outcome } of verify({ paths, store })) assert.equal(outcome, 'right');
      assert.equal(await readFile(running.file, 'utf8'), running.textOf(texts[1]!));
      await running.start();
      assert.deepEqual((await running.hangup())['changed'], []);
    }
    for (const [seed, digest] of digests.entries()) {
      const answer = await fetch(`${running.url}/v2/library/x/blobs/${digest}`);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      assert.deepEqual(
        digestOf(bytes),
        digestOf(generatedBytes({ size: 500_000, seed: seed + 1 })),
      );
    }
  },
);

async function two() {
  await using stack = new AsyncDisposableStack();
  const registries = [stack.use(await startRegistry()), stack.use(await startRegistry())] as const;
  const whole = stack.move();
  return Object.assign([...registries] as [(typeof registries)[0], (typeof registries)[1]], {
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  });
}

import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { certificates, type Held } from '../../src/setup/doctor/checks/certificates.ts';
import { disk } from '../../src/setup/doctor/checks/disk.ts';
import { goesDirect, proxy } from '../../src/setup/doctor/checks/proxy.ts';
import { CLIENTS } from '../../src/setup/proposal.ts';
import { diagnose, type DoctorOptions } from '../../src/setup/doctor/doctor.ts';
import { runner } from '../../src/setup/doctor/run.ts';
import { parseMirror } from '../../src/setup/target.ts';
import { certificateAuthority } from '../fixtures/certificate.ts';
import { temporaryFolder } from '../fixtures/temporary.ts';
import { serve } from '../http/serve.ts';
import { codes, defaults, KNOWN, patient, programNamed, type Patient } from './patient.ts';
import { machine } from './world.ts';

const DAY = 24 * 60 * 60 * 1000;
const authority = certificateAuthority();
const known = () => KNOWN;

/** What the doctor says of a mirror, on a machine without clients. */
async function ofMirror(url: string, ca?: string): Promise<readonly string[]> {
  await using here = await machine();
  return await codes({ ...defaults(url, here.root), ca });
}

/** A mirror that only looks like one. */
async function pretending(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

suite('the way to the mirror', () => {
  test('nothing is found where all is well, with TLS and without', async () => {
    await using plain = await serve({ known });
    assert.deepEqual(await ofMirror(plain.url), []);
    await using secure = await serve({ known }, authority.issue('127.0.0.1'));
    assert.deepEqual(await ofMirror(secure.url, authority.ca), []);
  });

  test('a name that nobody knows', async () => {
    assert.deepEqual(await ofMirror('http://mirror.invalid:8080'), ['dns']);
  });

  test('nobody listens', async () => {
    const { url } = await (async () => {
      await using here = await pretending(() => {});
      return here;
    })();
    assert.deepEqual(await ofMirror(url), ['refused']);
  });

  test('somebody listens, and says nothing', async () => {
    await using here = await pretending(() => {});
    await using folder = await machine();
    const options = { ...defaults(here.url, folder.root), patience: 100 };
    assert.deepEqual(await codes(options), ['no-answer']);
  });

  test('HTTP where HTTPS is spoken, and the other way round', async () => {
    await using secure = await serve({ known }, authority.issue('127.0.0.1'));
    assert.deepEqual(await ofMirror(secure.url.replace('https', 'http'), authority.ca), [
      'http-to-https',
    ]);
    await using plain = await serve({ known });
    assert.deepEqual(await ofMirror(plain.url.replace('http', 'https')), ['https-to-http']);
  });

  test('an authority that is not known', async () => {
    await using here = await serve({ known }, authority.issue('127.0.0.1'));
    assert.deepEqual(await ofMirror(here.url), ['tls-unknown-authority']);
    const another = certificateAuthority('another');
    assert.deepEqual(await ofMirror(here.url, another.ca), ['tls-unknown-authority']);
  });

  test('a certificate for another name', async () => {
    await using here = await serve({ known }, authority.issue('mirror.lan'));
    assert.deepEqual(await ofMirror(here.url, authority.ca), ['tls-wrong-name']);
  });

  for (const [what, from, to, code] of [
    ['has expired', -2, -1, 'tls-expired'],
    ['is not valid yet', 1, 2, 'tls-not-yet-valid'],
    ['expires soon', -1, 10, 'certificate-expires?'],
  ] as const) {
    test(`a certificate that ${what}`, async () => {
      const [first, last] = [from, to].map((days) => new Date(Date.now() + days * DAY));
      const issued = authority.issueFor(first!, last!, '127.0.0.1');
      await using here = await serve({ known }, issued);
      assert.deepEqual(await ofMirror(here.url, authority.ca), [code]);
    });
  }

  test('a certificate is asked of clients', async () => {
    const tls = { ...authority.issue('127.0.0.1'), clientCa: authority.ca };
    await using here = await serve({ known }, tls);
    assert.deepEqual(await ofMirror(here.url, authority.ca), ['client-certificate']);
  });

  test('the connection ends without an answer', async () => {
    await using here = await pretending((request) => request.socket.destroy());
    assert.deepEqual(await ofMirror(here.url), ['unreachable']);
  });

  test('something else listens', async () => {
    await using here = await pretending((_, response) => response.end('<html>'));
    assert.deepEqual(await ofMirror(here.url), ['not-layover']);
  });

  test('it is not ready', async () => {
    await using here = await serve({ known, ready: async () => 'the disk is gone' });
    assert.deepEqual(await ofMirror(here.url), ['not-ready']);
  });

  for (const [apart, found] of [
    [10_000, []],
    [-60_000, ['clock-skew?']],
    [3_600_000, ['clock-skew']],
  ] as const) {
    test(`clocks that are ${apart / 1000} s apart`, async () => {
      await using here = await pretending((_, response) => {
        response.setHeader('Date', new Date(Date.now() + apart).toUTCString());
        response.end(JSON.stringify(KNOWN));
      });
      assert.deepEqual(await ofMirror(here.url), found);
    });
  }

  for (const [line, found] of [
    ['layover_upstream_ratelimit_remaining{upstream="docker.io"} 76', []],
    ['layover_upstream_ratelimit_remaining{upstream="docker.io"} 12', ['rate-limit?']],
    ['layover_upstream_ratelimit_remaining{upstream="docker.io"} 0', ['rate-limit']],
    ['layover_upstream_circuit_open{upstream="quay.io"} 1', ['upstream-shut']],
    ['layover_upstream_circuit_open{upstream="quay.io"} 0', []],
  ] as const) {
    test(`metrics: ${line}`, async () => {
      const metrics = `layover_upstream_ratelimit_limit{upstream="docker.io"} 100\n${line}\n`;
      await using here = await pretending((request, response) =>
        response.end(request.url === '/metrics' ? metrics : JSON.stringify(KNOWN)),
      );
      assert.deepEqual(await ofMirror(here.url), found);
    });
  }

  test('what upstreams state is in the metrics under the names that are looked for', async () => {
    await using here = await serve({ known });
    const budget = { type: 'budget', limit: 100, remaining: 0, windowSeconds: 60 } as const;
    here.metrics.upstream({ host: 'docker.io', ...budget });
    here.metrics.upstream({ host: 'quay.io', type: 'circuit', open: true });
    assert.deepEqual(await ofMirror(here.url), ['rate-limit', 'upstream-shut']);
  });
});

suite('an authority that only the doctor has been told of', () => {
  for (const client of CLIENTS) {
    test(client, async () => {
      await using mirror = await serve({ known }, authority.issue('127.0.0.1'));
      await using here = await machine();
      const upstreams = KNOWN.upstreams;
      const doctor = { ...defaults(mirror.url, here.root), client, ca: authority.ca };
      const set = (ca: string | undefined) =>
        here.setUp(client, 'write', {
          target: { mirror: parseMirror(mirror.url), upstreams, ca },
          ownConfig: 'edit',
        });
      await set(undefined);
      assert.deepEqual(await codes(doctor), ['authority-missing']);
      await set(authority.ca);
      assert.deepEqual(await codes(doctor), []);
    });
  }
});

suite('pulls', () => {
  const V2 = '/manifests/probe';
  for (const [what, script, found] of [
    ['arrive by name in the path', `await ask(M + '/v2/' + host + '/' + rest + '${V2}');`, []],
    ['arrive by ?ns=', `await ask(M + '/v2/' + rest + '${V2}?ns=' + host);`, []],
    ['go elsewhere', '', ['pull-not-arrived']],
    ['do not say which registry', `await ask(M + '/v2/' + rest + '${V2}');`, ['wrong-namespace']],
    [
      'go astray for one registry',
      `if (host === 'docker.io') await ask(M + '/v2/' + rest + '${V2}');`,
      ['pull-not-arrived'],
    ],
    [
      'come through a proxy',
      `await ask(M + '/v2/' + rest + '${V2}?ns=' + host, { Via: '1.1 squid' });`,
      ['proxy-between?'],
    ],
    [
      'arrive, and the client then hangs',
      `await ask(M + '/v2/' + rest + '${V2}?ns=' + host); await new Promise((r) => setTimeout(r, 60000));`,
      [],
    ],
  ] as const) {
    test(`that ${what}`, async () => {
      await using here = await patient(['podman']);
      await using programs = await temporaryFolder();
      const PATH = await programNamed(
        programs.path,
        'skopeo',
        script.replaceAll(/\bM\b/g, JSON.stringify(here.mirror.url)),
      );
      const environment = { PATH: `${PATH}:/usr/bin:/bin` };
      const options = { here: 'this-machine', environment, run: runner(environment) } as const;
      assert.deepEqual(await here.findings('podman', options), found);
    });
  }
});

test('a pull that goes astray although the files are right: the client reads them again', async () => {
  for (const [plant, mend] of [
    [async () => {}, /^systemctl restart docker/],
    [(here: Patient) => here.machine.write('/etc/docker/daemon.json', '{}'), /^mend first what/],
  ] as const) {
    await using here = await patient(['docker']);
    await plant(here);
    await using programs = await temporaryFolder();
    const PATH = `${await programNamed(programs.path, 'docker', '')}:/usr/bin:/bin`;
    const options = { here: 'this-machine', run: runner({ PATH }) } as const;
    const found = await here.told('docker', options);
    assert.match(found.find(({ code }) => code === 'pull-not-arrived')?.mend ?? '', mend);
  }
});

suite('no pull is no proof', () => {
  const found = async (options: Partial<DoctorOptions>): Promise<readonly string[]> => {
    await using mirror = await serve({ known });
    await using here = await machine();
    const told: string[] = [];
    for await (const { findings } of diagnose({ ...defaults(mirror.url, here.root), ...options })) {
      for (const { code, severity, saw, mend } of findings) {
        if (code === 'nothing-pulled') told.push(severity, saw, mend);
      }
    }
    return told;
  };
  const here = 'this-machine';
  const socket = '/nonexistent.sock';

  for (const client of ['containerd', 'k3s'] as const) {
    test(`${client} does not run`, async () => {
      const [severity = '', saw = '', mend = ''] = await found({ client, here, socket });
      assert.equal(severity, 'fault');
      assert.match(saw, /^no pull was made: nobody answers at \/nonexistent\.sock \(ENOENT\)/);
      assert.match(mend, new RegExp(`^systemctl start ${client} .*--socket`));
    });
  }

  test('a client that nobody asked for is a warning', async () => {
    await using programs = await temporaryFolder();
    const PATH = await programNamed(programs.path, 'containerd', '');
    const options = { here, socket, run: runner({ PATH: `${PATH}:/usr/bin:/bin` }) } as const;
    assert.ok((await found(options)).includes('warning'));
  });

  test('somebody listens who is not containerd', async () => {
    await using folder = await temporaryFolder();
    const socket = `${folder.path}/some.sock`;
    const server = createServer().listen(socket);
    await once(server, 'listening');
    try {
      const [severity] = await found({ client: 'k3s', here, socket });
      assert.equal(severity, 'fault');
    } finally {
      server.close();
    }
  });

  test('no program that pulls', async () => {
    const run = runner({ PATH: '/nonexistent' });
    assert.match((await found({ client: 'podman', here, run })).join('\n'), /^fault\n.*skopeo/);
    assert.match((await found({ client: 'docker', here, run })).join('\n'), /^fault\n.*docker/);
  });

  test('files of another root, BuildKit, and no client at all are a warning', async () => {
    assert.equal((await found({ client: 'containerd' }))[0], 'warning');
    assert.equal((await found({ client: 'buildkit', here }))[0], 'warning');
    assert.equal((await found({}))[0], 'warning');
  });
});

suite('proxies', () => {
  const mirror = parseMirror('http://10.0.0.5:8080');
  for (const [none, direct] of [
    ['', false],
    ['10.0.0.5', true],
    ['10.0.0.5:8080', true],
    ['10.0.0.5:80', false],
    ['10.0.0.0/8', true],
    ['10.0.1.0/24', false],
    ['10.0.0.50', false],
    ['localhost, 10.0.0.5', true],
    ['*', true],
  ] as const) {
    test(`NO_PROXY=${none}`, () => assert.equal(goesDirect(mirror, none), direct));
  }

  test('names stand for what is below them', () => {
    const named = parseMirror('https://mirror.lan');
    assert.ok(goesDirect(named, 'lan'));
    assert.ok(goesDirect(named, '.lan'));
    assert.ok(goesDirect(named, '*.lan'));
    assert.ok(goesDirect(named, 'MIRROR.lan:443'));
    assert.ok(!goesDirect(named, 'or.lan'));
    assert.ok(!goesDirect(named, '.mirror.lan'));
  });

  const found = async (
    files: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>> = {},
    url = mirror.url,
  ): Promise<number> => {
    await using here = await machine();
    for (const [name, text] of Object.entries(files)) await here.write(name, text);
    const situation = {
      ...defaults(url, here.root),
      here: 'this-machine' as const,
      environment,
      known: undefined,
      chosen: 'named' as const,
    };
    const report = await proxy('containerd').run(situation);
    return report?.findings.length ?? -1;
  };
  const DROP_IN = '/etc/systemd/system/containerd.service.d/proxy.conf';
  const SET = '[Service]\nEnvironment="HTTP_PROXY=http://user:secret@proxy:3128"\n';

  test('of this environment, and of the service', async () => {
    assert.equal(await found({}), 0);
    assert.equal(await found({}, { http_proxy: 'http://proxy:3128' }), 1);
    assert.equal(await found({}, { http_proxy: 'http://proxy:3128', no_proxy: '10.0.0.5' }), 0);
    assert.equal(await found({}, { HTTPS_PROXY: 'http://proxy:3128' }), 0);
    assert.equal(await found({ [DROP_IN]: SET }), 1);
    assert.equal(await found({ [DROP_IN]: SET }, {}, 'http://127.0.0.1:8080'), 0);
    assert.equal(await found({ [DROP_IN]: `${SET}Environment=NO_PROXY=10.0.0.0/8\n` }), 0);
    assert.equal(await found({ [DROP_IN]: `${SET}Environment=\n` }), 0);
    const over =
      '[Service]\nEnvironment="HTTP_PROXY=http://proxy:3128" \\\n  "NO_PROXY=10.0.0.5"\n';
    assert.equal(await found({ [DROP_IN]: over }), 0);
  });

  test('of files that the service names', async () => {
    const unit = '[Service]\nEnvironmentFile=-/etc/default/containerd\n';
    const file = '/etc/default/containerd';
    assert.equal(await found({ [DROP_IN]: unit, [file]: 'HTTP_PROXY="http://proxy:3128"\n' }), 1);
    assert.equal(await found({ [DROP_IN]: `${SET}${unit}`, [file]: 'NO_PROXY=10.0.0.5\n' }), 0);
    assert.equal(await found({ [DROP_IN]: `${SET}${unit}` }), 1);
    const cleared = `${unit}EnvironmentFile=\n`;
    assert.equal(await found({ [DROP_IN]: cleared, [file]: 'HTTP_PROXY=http://proxy:3128\n' }), 0);
  });

  test('their passwords are told to nobody', async () => {
    await using here = await machine();
    await here.write(DROP_IN, SET);
    const situation = {
      ...defaults(mirror.url, here.root),
      known: undefined,
      chosen: 'named' as const,
    };
    assert.doesNotMatch(JSON.stringify(await proxy('containerd').run(situation)), /secret/);
  });
});

suite('certificates of the configuration', () => {
  const now = Date.now();
  const found = (pem: string, key?: string): readonly string[] =>
    (
      certificates([{ what: 'tls.cert', pem, key, at: { file: 'a b.pem' } }], now)?.findings ?? []
    ).map(({ code }) => code);
  const { cert, key } = authority.issue('mirror');
  const days = (from: number, to: number): string =>
    authority.issueFor(new Date(now + from * DAY), new Date(now + to * DAY), 'mirror').cert;

  test('one that is right', () => assert.deepEqual(found(cert, key), []));
  test('none', () => assert.deepEqual(found('nothing'), ['certificate-unreadable']));
  test('an old one', () => assert.deepEqual(found(days(-9, -1)), ['certificate-expired']));
  test('a new one', () => assert.deepEqual(found(days(1, 9)), ['certificate-early']));
  test('one that ends soon', () => {
    const pem = days(-1, 9);
    assert.deepEqual(found(pem), ['certificate-expires']);
    const mend = (at: Held['at']) =>
      certificates([{ what: '', pem, at }], now)?.findings[0]?.mend ?? '';
    assert.match(mend({ file: 'a b.pem' }), /^openssl x509 .*-in 'a b\.pem' {3}# .* into a b\.pem/);
    assert.match(mend({ server: 'm:443' }), /^openssl s_client -connect m:443 <.*tls\.cert/);
  });
  test('one with the key of another', () => {
    assert.deepEqual(found(cert, authority.issue('other').key), ['certificate-key']);
    assert.deepEqual(found(cert, ''), ['certificate-key']);
  });
});

suite('the disk', () => {
  const found = async (path: string, minFree: number, maxSize: number): Promise<string[]> =>
    (await disk({ path, minFree, maxSize })).findings.map(({ code }) => code);

  test('that has room, or not', async () => {
    await using folder = await temporaryFolder();
    assert.deepEqual(await found(folder.path, 1, 1), []);
    assert.deepEqual(await found(`${folder.path}/not/yet/there`, 1, 1), []);
    assert.deepEqual(await found(folder.path, 1, 2 ** 60), ['disk-small']);
    assert.deepEqual(await found(folder.path, 2 ** 60, 1), ['disk-full', 'disk-small']);
  });

  test('that cannot be written', async () => {
    assert.deepEqual(await found(import.meta.filename, 1, 1), ['disk-read-only']);
    assert.deepEqual(await found(`${import.meta.filename}/x`, 1, 1), ['disk-read-only']);
  });
});

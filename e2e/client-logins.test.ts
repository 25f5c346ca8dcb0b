import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { certificate, type Certificate } from './lib/certificate.ts';
import { pseudoTerminal, withoutTerminals } from '../test/fixtures/pseudo-terminal.ts';
import { commandIn } from './lib/command.ts';
import { plainConf } from './lib/containers-conf.ts';
import { image } from './lib/image.ts';
import { LAUNCHER } from './lib/layover.ts';
import { writeLayout } from './lib/layout.ts';
import { run } from './lib/process.ts';
import { dockerRegistry, type Registry } from './lib/registry.ts';
import { scratch, type Scratch } from './lib/scratch.ts';

const [USER, PASSWORD] = ['alibaba', 'open sesame'];
/** Of `htpasswd -nbB` for the two. */
const HTPASSWD = `${USER}:$2b$05$1HJI/EQ2pCEoUaexAG4omuVYgCIls9dwvGh.Rzo1A2DV/n3y4ve16\n`;
const CONTENT = image({ message: 'behind a door\n', layers: [1000] });

suite('a registry that lets in only some', () => {
  let folder: Scratch;
  let registry: Registry;
  let reference: string;
  let homes = 0;
  before(async () => {
    folder = await scratch();
    const htpasswd = folder.at('htpasswd');
    await writeFile(htpasswd, HTPASSWD);
    registry = await dockerRegistry(folder, { name: 'closed', htpasswd });
    reference = `127.0.0.1:${registry.port}/closed/app:v1`;
    const home = await newHome();
    const ours = commandIn(home);
    await writeLayout(join(home, 'layout'), CONTENT, 'v1');
    await ours.run('layover', 'push', '-q', '-u', USER, '-p', PASSWORD, 'oci:layout:v1', reference);
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  async function newHome(): Promise<string> {
    homes += 1;
    const home = folder.at(`h${homes}`);
    await mkdir(join(home, 'docker'), { recursive: true });
    return home;
  }

  const digestOf = async (
    home: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<string> => (await commandIn(home, env).run('layover', 'digest', reference)).trim();

  test('nobody else is told anything', async () => {
    const { code, stdout, stderr } = await commandIn(await newHome()).attempt(
      'layover',
      'digest',
      reference,
    );
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
    assert.equal(stderr.trim().split('\n').length, 1);
  });

  test('what layover login keeps lets in layover, and skopeo', async () => {
    const home = await newHome();
    const ours = commandIn(home);
    const host = `127.0.0.1:${registry.port}`;
    await ours.run('layover', 'login', '-u', USER, '-p', PASSWORD, host);
    assert.equal(await digestOf(home), CONTENT.digest);
    const env = await plainConf(home);
    const auth = ['--authfile', join(home, 'docker/config.json'), '--tls-verify=false'];
    const args = ['inspect', ...auth, '--format', '{{.Digest}}', `docker://${reference}`];
    assert.equal((await run('skopeo', args, { env })).trim(), CONTENT.digest);
    await ours.run('layover', 'logout', host);
    await assert.rejects(digestOf(home));
    await assert.rejects(run('skopeo', args, { env }));
  });

  test(
    'asked for at a terminal, by layover and by crpy',
    { skip: withoutTerminals() },
    async () => {
      for (const [program, end] of [
        ['layover', 'logged in to '],
        ['crpy', 'Authenticated at '],
      ] as const) {
        const home = await newHome();
        const env = { PATH: process.env['PATH'] ?? '', ...commandIn(home).env };
        const command = [
          join(LAUNCHER, '..', program),
          'login',
          `http://127.0.0.1:${registry.port}`,
        ];
        await using terminal = pseudoTerminal(command, { env, cwd: home });
        await terminal.shows('Username: ');
        terminal.type(`${USER}\r`);
        await terminal.shows('Password: ');
        terminal.type(`${PASSWORD}\r`);
        await terminal.shows(end);
        assert.equal(await terminal.ended, 0, terminal.shown);
        assert.ok(!terminal.shown.includes(PASSWORD));
        assert.equal(await digestOf(home), CONTENT.digest);
      }
    },
  );

  test('a wrong password is refused, and not kept', async () => {
    const home = await newHome();
    const args = ['login', '-u', USER, '-p', 'sesame', `127.0.0.1:${registry.port}`];
    assert.equal((await commandIn(home).attempt('layover', ...args)).code, 1);
    await assert.rejects(readFile(join(home, 'docker/config.json')), { code: 'ENOENT' });
  });

  test("what skopeo login keeps in docker's file lets in layover", async () => {
    const home = await newHome();
    const env = await plainConf(home);
    const file = join(home, 'docker/config.json');
    const login = ['login', '--tls-verify=false', '--authfile', file, '-u', USER, '-p', PASSWORD];
    await run('skopeo', [...login, `127.0.0.1:${registry.port}`], { env });
    assert.equal(await digestOf(home), CONTENT.digest);
  });

  test('a credential helper is asked', async () => {
    const home = await newHome();
    const helper = join(home, 'docker-credential-cave');
    const secret = JSON.stringify({ ServerURL: '', Username: USER, Secret: PASSWORD });
    const asked = join(home, 'asked');
    await writeFile(
      helper,
      `#!/bin/sh\n{ echo "$1"; cat; } >'${asked}'\ncat <<'END'\n${secret}\nEND\n`,
    );
    await chmod(helper, 0o755);
    const host = `127.0.0.1:${registry.port}`;
    const settings = { credHelpers: { [host]: 'cave' } };
    await writeFile(join(home, 'docker/config.json'), JSON.stringify(settings));
    assert.equal(await digestOf(home, { PATH: `${home}:${process.env['PATH']}` }), CONTENT.digest);
    assert.equal((await readFile(asked, 'utf8')).trim(), `get\n${host}`);
  });
});

suite('a registry that wants a certificate', () => {
  let folder: Scratch;
  let registry: Registry;
  let tls: Certificate;
  before(async () => {
    folder = await scratch();
    tls = await certificate(folder);
    registry = await dockerRegistry(folder, { name: 'mutual', tls });
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  test('push and imgpull with one; without it, or without trust, one line and no file', async () => {
    const ours = commandIn(folder.path);
    await writeLayout(folder.at('layout'), CONTENT, 'v1');
    const reference = `127.0.0.1:${registry.port}/mutual/app:v1`;
    const shown = ['--cert', tls.cert, '--key', tls.key];
    const trusted = ['--cacert', tls.ca];
    await ours.run('layover', 'push', '-q', ...trusted, ...shown, 'oci:layout:v1', reference);
    await ours.run('imgpull', reference, 'app.tar', '-x', tls.ca, '-c', tls.cert, '-k', tls.key);
    const env = await plainConf(folder.path);
    const place = `docker-archive:${folder.at('app.tar')}`;
    const config = await run('skopeo', ['inspect', '--config', '--raw', place], { env });
    assert.equal(config, Buffer.from(CONTENT.blobs[0]?.bytes ?? []).toString());
    for (const flags of [trusted, shown]) {
      const done = await ours.attempt('layover', 'pull', '-q', ...flags, '-o', 'no.tar', reference);
      assert.deepEqual({ code: done.code, stdout: done.stdout }, { code: 1, stdout: '' });
      assert.equal(done.stderr.trim().split('\n').length, 1, done.stderr);
      await assert.rejects(readFile(folder.at('no.tar')), { code: 'ENOENT' });
    }
  });
});

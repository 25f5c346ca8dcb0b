import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { certificateAuthority } from '../../fixtures/certificate.ts';
import { putImage, world } from './world.ts';

const LAYERS = [Buffer.from('layer')];

/** A command line of each tool that asks a registry for something, as it is told where that is. */
const LINES = {
  imgpull: (host: string, file: string) => [`${host}/a/b:v1`, file],
  crpy: (host: string) => ['tags', `${host}/a/b`],
  crget: (host: string, file: string) => [`${host}/a/b:v1`, file],
  layerslayer: (host: string) => ['-t', `${host}/a/b:v1`, '--peek-all'],
  'registory-raider': (host: string) => [`https://${host}/`],
} as const;

const tools = Object.keys(LINES) as readonly (keyof typeof LINES)[];

/** What helps, and which of them a tool has itself. */
const UNTRUSTED: Readonly<Record<keyof typeof LINES, RegExp>> = {
  imgpull: /; --cacert FILE trusts .*, --insecure .*, --scheme http /,
  crpy: /; crpy -k .*, http:\/\/ .*, NODE_EXTRA_CA_CERTS=FILE /,
  crget: /; REQUESTS_CA_BUNDLE=FILE /,
  layerslayer: /; REQUESTS_CA_BUNDLE=FILE /,
  'registory-raider': /; --insecure .*, http:\/\/ .*, NODE_EXTRA_CA_CERTS=FILE /,
};

/** Flags that a tool's messages must not name, because it has none of that name. */
const FOREIGN: Readonly<Record<keyof typeof LINES, RegExp>> = {
  imgpull: /--plain-http/,
  crpy: /--cacert|--plain-http|--insecure|--cert/,
  crget: /--cacert|--plain-http|--insecure/,
  layerslayer: /--cacert|--plain-http|--insecure/,
  'registory-raider': /--cacert|--plain-http/,
};

for (const name of tools) {
  test(`${name}: a certificate that is not trusted is told with what the tool has against it`, async () => {
    await using here = await world({ tls: certificateAuthority().issue('127.0.0.1') });
    putImage(here.registry, 'a/b', 'v1', LAYERS);
    const { code, out, error } = await here.run(name, LINES[name](here.host, here.at('x')));
    assert.notEqual(code, 0);
    assert.match(out + error, UNTRUSTED[name]);
    assert.doesNotMatch(out + error, FOREIGN[name]);
  });
}

const INSISTING = {
  imgpull: (host: string, file: string) => [`${host}/a/b:v1`, file, '-s', 'https'],
  crpy: (host: string) => ['tags', `https://${host}/a/b`],
  'registory-raider': (host: string) => [`https://${host}/`],
} as const;

const NO_TLS = {
  imgpull: /does not speak TLS \(\w+\); --scheme http does without$/m,
  crpy: /does not speak TLS \(\w+\); http:\/\/ in front of the name does without$/m,
  'registory-raider': /does not speak TLS \(\w+\); http:\/\/ in the URL does without$/m,
} as const;

for (const name of Object.keys(INSISTING) as readonly (keyof typeof INSISTING)[]) {
  test(`${name}: a server without TLS is told as one, on one line`, async () => {
    await using here = await world();
    const { code, out, error } = await here.run(name, INSISTING[name](here.host, here.at('x')));
    assert.notEqual(code, 0);
    assert.match(out + error, NO_TLS[name]);
    assert.equal((out + error).trimEnd().split('\n').length, 1, out + error);
  });
}

for (const name of ['crget', 'layerslayer'] as const) {
  test(`${name}: the authorities of REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE are trusted`, async () => {
    const authority = certificateAuthority();
    await using here = await world({ tls: authority.issue('127.0.0.1') });
    await using plain = await world();
    for (const { registry } of [here, plain]) putImage(registry, 'a/b', 'v1', LAYERS);
    await writeFile(here.at('ca.pem'), authority.ca);
    for (const variable of ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE']) {
      const run = (host: string, file: string) =>
        here.run(name, LINES[name](host, here.at('x')), { environment: { [variable]: file } });
      for (const { host } of [here, plain]) {
        const { out, error } = await run(host, here.at('ca.pem'));
        assert.doesNotMatch(out + error, /TLS|certificate/);
        assert.match(out + error, /Downloading blob|Layer/);
      }
      const { code, out, error } = await run(here.host, here.at('none.pem'));
      assert.equal(code, 1);
      assert.ok((out + error).includes(`${variable}: ${here.at('none.pem')} cannot be read`));
      const passedOver = await run(plain.host, here.at('.'));
      assert.match(passedOver.out + passedOver.error, /Downloading blob|Layer/);
    }
  });
}

import type { Hints } from '../../upstream/hints.ts';

/** Of a tool that has no flag for it. */
const IDENTITY =
  'if it wants a client certificate, the verbs of layover show one with --cert FILE and --key FILE';

const EXTRA = 'NODE_EXTRA_CA_CERTS=FILE in the environment trusts its authority';

/** For the tools written with Python's requests, which have no flags for any of it. */
const REQUESTS: Partial<Hints> = {
  untrusted: 'REQUESTS_CA_BUNDLE=FILE in the environment trusts its authority',
  withoutTls: 'the verbs of layover do without with --plain-http',
  identity: IDENTITY,
  plain: 'it may be meant for TLS',
};

/** What helps, in the words of each tool, where those of `layover` are not understood. */
export const HINTS = {
  imgpull: {
    untrusted:
      '--cacert FILE trusts its authority, --insecure any certificate, --scheme http does without TLS',
    withoutTls: '--scheme http does without',
    plain: 'if it speaks TLS, say --scheme https',
  },
  crpy: {
    untrusted: `crpy -k trusts any certificate, http:// in front of the name does without TLS, ${EXTRA}`,
    withoutTls: 'http:// in front of the name does without',
    identity: IDENTITY,
    plain: 'if it speaks TLS, write https:// in front of the name',
  },
  crget: REQUESTS,
  layerslayer: REQUESTS,
  'registory-raider': {
    untrusted: `--insecure trusts any certificate, http:// in the URL does without TLS, ${EXTRA}`,
    withoutTls: 'http:// in the URL does without',
    identity: IDENTITY,
    plain: 'if it speaks TLS, write https:// in the URL',
  },
} as const satisfies Readonly<Record<string, Partial<Hints>>>;

import * as z from 'zod';
import * as field from './fields.ts';
import { notMapping } from './message.ts';
import { policyFields } from './tag-schema.ts';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers on which the mirror's own correctness rests, or that HTTP itself owns. */
const OWN_HEADERS = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-match',
  'if-none-match',
  'if-range',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const headerName = z
  .string()
  .regex(TOKEN, { error: 'is not the name of a header' })
  .refine((name) => !OWN_HEADERS.has(name.toLowerCase()), {
    error: 'is a header that Layover sets itself; it cannot be configured',
  });

const headerValue = field
  .secret()
  .regex(VALUE, { error: 'holds a line break or control character' });

const PASSWORDS = ['password', 'passwordFile', 'passwordEnv'] as const;

const credentials = z
  .strictObject(
    {
      username: field.text('a user name').optional().describe('Whom to log in as.'),
      password: field.secret().optional().describe('The password itself.'),
      passwordFile: field.path().optional().describe('Or a file that holds it.'),
      passwordEnv: field
        .text('the name of an environment variable')
        .optional()
        .describe('Or an environment variable that holds it.'),
      helper: field
        .text('the name of a credential helper')
        .regex(/^[\w.-]+$/, {
          error: 'is not the name of a helper; allowed: what follows docker-credential-',
        })
        .optional()
        .describe('Or, without a user name, the program docker-credential-<helper> knows both.'),
    },
    { error: notMapping },
  )
  .superRefine(
    (value, context) => {
      const fault = credentialsFault(value);
      if (fault !== undefined) context.addIssue(fault);
    },
    { when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value) },
  );

function credentialsFault(value: Readonly<Record<string, unknown>>): string | undefined {
  const given = PASSWORDS.filter((key) => value[key] !== undefined);
  const known = given.length > 0 || value['username'] !== undefined;
  if (value['helper'] !== undefined) {
    return known ? 'holds both a helper and a login; allowed: one of them' : undefined;
  }
  if (!known) return 'is empty; allowed: username and a password, or helper';
  if (value['username'] === undefined) return `has ${given.join(', ')} but no username`;
  if (given.length === 1) return undefined;
  return `has ${given.length === 0 ? 'a username but no password' : given.join(' and ')}; allowed: exactly one of ${PASSWORDS.join(', ')}`;
}

const tls = z
  .strictObject({
    ca: field
      .path()
      .optional()
      .describe('PEM file of authorities to trust besides the usual ones.')
      .meta({ examples: ['ca.pem'] }),
    cert: field
      .path()
      .optional()
      .describe('PEM file of a client certificate.')
      .meta({ examples: ['client.pem'] }),
    key: field
      .path()
      .optional()
      .describe("PEM file of the client certificate's key.")
      .meta({ examples: ['client.key'] }),
    insecureSkipVerify: z
      .boolean()
      .prefault(false)
      .describe(
        'Believe any certificate. Content is still checked by digest; tags and passwords are not safe.',
      ),
  })
  .superRefine(
    ({ cert, key }, context) => {
      if ((cert === undefined) === (key === undefined)) return;
      context.addIssue(
        `has ${cert === undefined ? 'key but no cert' : 'cert but no key'}; allowed: both or neither`,
      );
    },
    { when: ({ value }) => typeof value === 'object' && value !== null },
  );

const timeouts = z.strictObject({
  connect: field.deadline().prefault('5s').describe('Until the connection stands.'),
  headers: field
    .deadline()
    .prefault('20s')
    .describe("Until the answer's headers; clients give up after 30s."),
  idle: field.deadline().prefault('30s').describe('Between two pieces of a body.'),
});

/** One entry of `upstreams`. */
export const upstream = z.strictObject({
  url: field
    .registryUrl()
    .optional()
    .describe('Scheme, host, port and path prefix. Left out: https:// and the name.')
    .meta({ examples: ['https://registry.example.com'] }),
  mirrors: z
    .array(field.registryUrl())
    .prefault([])
    .describe('Other addresses with the same content, tried first, in order.')
    .meta({ examples: [['http://10.0.0.5:5000']] }),
  aliases: z
    .array(field.hostName())
    .prefault([])
    .describe('Other names under which clients ask for it.'),
  credentials: credentials
    .optional()
    .describe('Left out: anonymous.')
    .meta({ examples: [{ username: 'me', passwordFile: '/run/secrets/registry' }] }),
  tls: tls.prefault({}).describe('How to trust it and to show who is asking.'),
  proxy: field
    .proxyUrl()
    .optional()
    .describe('The HTTP proxy on the way to it.')
    .meta({ examples: ['http://proxy:3128'] }),
  headers: z
    .record(headerName, headerValue, { error: notMapping })
    .prefault({})
    .describe('Extra headers of every request to it.')
    .meta({ examples: [{ 'X-Team': 'build' }] }),
  allowPrivate: z
    .array(field.hostOrRange())
    .prefault([])
    .describe('Private addresses to which its redirects and token servers may lead.')
    .meta({ examples: [['10.0.0.0/8']] }),
  maxConnections: z
    .int()
    .min(1)
    .max(1024)
    .prefault(16)
    .describe('Connections to it at one time; more requests wait.'),
  maxSize: field
    .size({ least: 1, example: '20GiB' })
    .optional()
    .describe('What its content may take of storage.maxSize. Left out: all of it.'),
  timeouts: timeouts.prefault({}).describe('How long to wait for it.'),
  tags: z
    .strictObject(policyFields())
    .partial()
    .prefault({})
    .describe('Any key of tags, for this registry alone.'),
});

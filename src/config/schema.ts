import * as z from 'zod';
import { LOG_LEVELS } from './config.ts';
import * as field from './fields.ts';
import { notAllowed, refusal } from './message.ts';
import { prefetch } from './prefetch-schema.ts';
import { tagPolicy } from './tag-schema.ts';
import { upstream } from './upstream-schema.ts';

const tls = z.strictObject({
  cert: field.path().describe('PEM file of the certificate and its chain.'),
  key: field.path().describe('PEM file of its private key.'),
  clientCa: field
    .path()
    .optional()
    .describe('PEM file of the authority whose clients may connect.'),
});

const storage = z.strictObject({
  path: field
    .path()
    .prefault('./data')
    .describe('The folder of the store, from the working folder.'),
  maxSize: field
    .size({ least: 1 })
    .prefault('50GiB')
    .describe('What everything that is stored or on its way here may take.'),
  lowWater: z
    .number()
    .gt(0)
    .max(1)
    .prefault(0.9)
    .describe('The share of maxSize down to which is cleared once there is no room.'),
  minFree: field
    .size()
    .prefault('2GiB')
    .describe('What stays free on the disk; where less is free, cached content makes way.'),
  maxAge: field
    .duration()
    .prefault('0')
    .describe('Cached content that nobody has asked for so long is removed; 0: it may stay.'),
  pins: z
    .array(field.imagePattern())
    .prefault([])
    .describe(
      'Images that are never evicted, such as docker.io/library/nginx:1.* or ghcr.io/team/**; "layover pin" adds others.',
    ),
  verifyRate: field
    .size()
    .prefault('10MiB')
    .describe('How fast stored content is checked in the background, a second; 0 turns it off.'),
});

const downloads = z.strictObject({
  abandonAfter: field
    .delay()
    .prefault('10m')
    .describe('How long a download goes on when nobody reads it any more; it stays resumable.'),
  retries: z
    .int()
    .min(0)
    .max(100)
    .prefault(5)
    .describe('How often a download that was cut is taken up again before its readers fail.'),
});

const uploads = z.strictObject({
  maxSize: field
    .size({ least: 1 })
    .prefault('100GiB')
    .describe('The largest blob that may be pushed.'),
  expireAfter: field
    .deadline()
    .prefault('24h')
    .describe('When an unfinished push that nobody goes on with is thrown away.'),
  sparse: z
    .literal(['none', 'indexes', 'all'])
    .prefault('indexes')
    .describe(
      'Which manifests may list what has not been pushed: no, indexes (copies of one platform do), or images as well.',
    ),
});

const gc = z.strictObject({
  every: field
    .delay()
    .prefault('24h')
    .describe('How often garbage is collected while serving; 0 leaves it to layover gc.'),
  grace: field
    .deadline()
    .prefault('24h')
    .describe('How long a blob that no manifest lists stays: longer than any push takes.'),
  untaggedFor: field
    .duration()
    .prefault('30d')
    .describe(
      'How long a manifest that no tag leads to stays after it was last pushed, tagged or asked for by digest.',
    ),
  pins: z
    .array(field.pin())
    .prefault([])
    .describe('Manifests that stay with or without a tag, as apps/api@sha256:….'),
});

/**
 * The configuration as people write it. Every key has its default and one line of why here: the
 * default file, the reference and the JSON Schema are made from this.
 */
export const schema = z.strictObject({
  listen: field.address().prefault('0.0.0.0:8080').describe('Where clients connect.'),
  tls: tls
    .optional()
    .describe('Left out: plain HTTP.')
    .meta({ examples: [{ cert: 'tls.pem', key: 'tls.key', clientCa: 'ca.pem' }] }),
  admin: z
    .strictObject({
      listen: field.address().prefault('127.0.0.1:8081').describe('Where it listens.'),
    })
    .prefault({})
    .describe('Administration, never on the public address.'),
  storage: storage.prefault({}).describe('What is kept, and where.'),
  defaultUpstream: field
    .text('an upstream of this configuration, or none')
    .prefault('docker.io')
    .describe('Serves names that say no registry; none: such names are not served.'),
  hosted: z
    .array(field.namePattern())
    .prefault([])
    .describe(
      'Patterns of repositories that live here, such as apps/** or charts/*: they can be pushed to, and no upstream is asked for them.',
    ),
  offline: z.boolean().prefault(false).describe('Serve what is cached and ask no upstream.'),
  tags: tagPolicy
    .prefault({})
    .describe('How long what a tag means is believed, and what if it cannot be asked.'),
  downloads: downloads.prefault({}).describe('Content on its way from an upstream.'),
  whenRateLimited: z
    .literal([429, 503])
    .prefault(429)
    .describe(
      'The status for clients when an upstream limits its rate and nothing is cached; with 503 containerd goes on to its next mirror at once.',
    ),
  uploads: uploads
    .prefault({})
    .describe('Content that clients push to repositories that live here.'),
  gc: gc
    .prefault({})
    .describe(
      'Garbage in repositories that live here. What is mirrored has nothing to do with it.',
    ),
  prefetch: prefetch
    .prefault([])
    .describe(
      "What is fetched before anybody asks for it, such as {images: ['nginx:1.27.*'], every: 6h}.",
    ),
  drain: field
    .delay()
    .prefault('30s')
    .describe('How long running answers may take to finish after SIGTERM.'),
  log: z
    .strictObject({
      level: z.literal(LOG_LEVELS).prefault('info').describe('The least important lines to write.'),
    })
    .prefault({})
    .describe('One JSON line an event.'),
  upstreams: z
    .record(
      field.hostName(),
      z.union([z.literal(['off', false, null]), upstream], {
        error: refusal(notAllowed('an upstream', 'a mapping of keys, {} for the defaults, or off')),
      }),
    )
    .prefault({})
    .describe(
      'The registries that can be reached through this mirror, by the name that image references have; no others can. The well-known ones are here whether the file names them or not; "quay.io: off" takes one out.',
    ),
});

/** What the schema makes of a file: every default filled in. */
export type Parsed = z.output<typeof schema>;

/** For editors and charts: what may be written, not what it becomes. */
export function jsonSchema() {
  return { title: 'Layover configuration', ...z.toJSONSchema(schema, { io: 'input' }) };
}

import * as z from 'zod';
import * as field from './fields.ts';
import { notMapping } from './message.ts';

/** One entry of `prefetch`. */
const entry = z
  .strictObject(
    {
      images: z
        .array(field.wantedImage())
        .prefault([])
        .describe('Names as clients write them; * in a tag stands for any characters.'),
      files: z
        .array(field.path())
        .prefault([])
        .describe(
          'Files and folders that name images: lists, Kubernetes manifests, compose files, what Helm writes. Read before each run.',
        ),
      platforms: z
        .array(field.platform())
        .prefault([])
        .describe(
          'Of an index, the images for these, or all. Empty: for the platform of this machine.',
        ),
      referrers: z
        .boolean()
        .prefault(false)
        .describe('Signatures and what else refers to the images, too.'),
      maxTags: z
        .int()
        .min(1)
        .max(100_000)
        .prefault(100)
        .describe('How many tags one pattern may fit; more are a failure.'),
      every: field
        .delay()
        .prefault('24h')
        .describe('How often; after a start when it is due. 0: never by the clock.'),
      whenTagMoves: z
        .boolean()
        .prefault(false)
        .describe(
          'When a client is told that a cached tag means another image, that is fetched whole, behind the answer.',
        ),
    },
    { error: notMapping },
  )
  .superRefine(
    ({ images, files, platforms }, context) => {
      if (images.length + files.length === 0) context.addIssue('names neither images nor files');
      if (Array.isArray(platforms) && platforms.includes('all') && platforms.length > 1) {
        context.addIssue('has all and other platforms; all leaves nothing to add');
      }
    },
    {
      when: ({ value }) =>
        typeof value === 'object' && value !== null && 'images' in value && 'files' in value,
    },
  );

/** `prefetch`: what is fetched before anybody asks for it. */
export const prefetch = z.array(entry);

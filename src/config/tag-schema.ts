import * as z from 'zod';
import * as field from './fields.ts';

/** The keys of a tag policy, without defaults: an upstream may set any of them. */
export function policyFields() {
  return {
    freshFor: field
      .duration()
      .describe('How long a tag is believed without asking its upstream again.'),
    revalidateWithin: field
      .deadline()
      .describe(
        'How long a client waits for that question, and for the manifest of a tag that has moved, before it gets the cached answer.',
      ),
    whenUnreachable: z
      .literal(['serve-stale', 'fail'])
      .describe('The upstream is down, slow or limits its rate: serve what is cached, or fail.'),
    whenDeleted: z
      .literal(['keep', 'follow'])
      .describe('The upstream deleted the image: go on serving it with a warning, or follow.'),
    notFoundFor: field.delay().describe('How long a definite "there is no such tag" is believed.'),
  };
}

const fields = policyFields();

/** `tags`: the policy for all upstreams, with its defaults. */
export const tagPolicy = z.strictObject({
  freshFor: fields.freshFor.prefault('1m'),
  revalidateWithin: fields.revalidateWithin.prefault('2s'),
  whenUnreachable: fields.whenUnreachable.prefault('serve-stale'),
  whenDeleted: fields.whenDeleted.prefault('keep'),
  notFoundFor: fields.notFoundFor.prefault('10s'),
});

/** A sentence on what was aimed at in a run. */
export function verdict(
  rows: readonly { readonly target?: { readonly met: boolean } | undefined }[],
): string {
  const targets = rows.flatMap(({ target }) => (target === undefined ? [] : [target]));
  const missed = targets.filter(({ met }) => !met).length;
  if (targets.length === 0) return 'Nothing in this run has a target.';
  if (missed === 0) return 'All targets were met in this run.';
  return `${missed} of ${targets.length} targets were missed in this run.`;
}

import { formatPlatform } from '../../core/platform.ts';
import type { ClosureRules } from './closure-parts.ts';

/**
 * What has the store get images that are to be exported, as a shell takes it.
 * @param texts names and patterns; only names of repositories without a `*` can be fetched
 */
export function fetchingHint(
  texts: readonly string[],
  { platforms, referrers }: ClosureRules,
): string {
  const names = texts.flatMap((text) => {
    const [, repository = '', at = ':*'] = /^(.*?)(@.*|:[^/]*)?$/.exec(text) ?? [];
    return repository.includes('*') ? [] : [quoted(repository + at)];
  });
  if (names.length === 0) return 'have it pulled through the mirror first';
  const flags = [
    ...(typeof platforms === 'string'
      ? platforms === 'all'
        ? ['--platform all']
        : []
      : platforms.map((one) => `--platform ${formatPlatform(one)}`)),
    ...(referrers === 'all' ? ['--referrers'] : []),
  ];
  return `have it fetched first (layover prefetch ${[...flags, ...names].join(' ')})`;
}

function quoted(text: string): string {
  return text.includes('*') ? `'${text}'` : text;
}

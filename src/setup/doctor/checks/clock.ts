import type { Answer } from '../../request.ts';
import type { Finding, Report } from '../check.ts';

/** Milliseconds by which clocks may differ: tokens and certificates allow for some, headers have seconds. */
const BEARABLE = 30_000;
const TOO_MUCH = 5 * 60_000;

/** Whether this machine and the mirror agree on what time it is. */
export function clock({ headers }: Answer, now: number): Report | undefined {
  const theirs = Date.parse(String(headers['date'] ?? ''));
  if (Number.isNaN(theirs)) return undefined;
  // The header has whole seconds: on average it is half of one behind.
  const apart = now - theirs - 500;
  const looked = `the clocks of this machine and of the mirror are ${seconds(apart)} apart`;
  if (Math.abs(apart) < BEARABLE) return { looked, findings: [] };
  const finding: Finding = {
    code: 'clock-skew',
    severity: Math.abs(apart) < TOO_MUCH ? 'warning' : 'fault',
    saw: `this machine's clock is ${seconds(apart)} ${apart > 0 ? 'ahead of' : 'behind'} the mirror's`,
    means:
      'one of them is wrong: certificates and tokens then count as expired, or as not valid yet',
    mend: 'timedatectl   # on both machines; then systemctl restart systemd-timesyncd, or chrony',
  };
  return { looked, findings: [finding] };
}

function seconds(milliseconds: number): string {
  const whole = Math.round(Math.abs(milliseconds) / 1000);
  return whole < 120 ? `${whole} s` : `${Math.round(whole / 60)} min`;
}

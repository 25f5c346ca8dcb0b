import { stat } from 'node:fs/promises';

export const USAGE = `
Usage:

imgpull <image ref> <tar file> [-o|--os os] [-a|--arch arch] [-n|--ns namespace]
 [-u|--user username] [-p|--password password] [-t|--token token] [-s|--scheme scheme]
 [-c|--cert tls cert] [-k|--key tls key] [-x|--cacert tls ca cert] [-i|--insecure]
 [-m|--manifest list|image] [-l|--list-tar tar file] [--parsed] [-v|--version] [-h|--help]

The image ref begins with its registry. The tar file may be left out with --manifest, and both may
with --list-tar. OS and arch are this machine's where they are not given. Without --scheme it is
https, and http with a registry on this machine that has no TLS.

Examples:

imgpull docker.io/hello-world:latest ./hello-world.tar -o linux -a amd64
imgpull localhost:8080/curl/curl:8.10.1 ./curl.tar --ns quay.io
imgpull docker.io/hello-world:latest --manifest list
imgpull --list-tar ./hello-world.tar

`;

/** The version, with when what runs was put where it is. */
export async function versionText(version: string): Promise<string> {
  const { mtime } = await stat(new URL('../../../../package.json', import.meta.url));
  return `imgpull version: ${version} build date: ${mtime.toISOString()}\n`;
}

/** A duration as Go prints it. @param milliseconds with a fraction */
export function goDuration(milliseconds: number): string {
  if (milliseconds < 1) return `${Math.round(milliseconds * 1e6) / 1e3}µs`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds * 1e6) / 1e6}ms`;
  const minutes = Math.floor(milliseconds / 60_000);
  const seconds = `${Math.round((milliseconds - minutes * 60_000) * 1e3) / 1e6}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return `${hours === 0 ? '' : `${hours}h`}${minutes % 60}m${seconds}`;
}

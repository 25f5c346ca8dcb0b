import { homedir } from 'node:os';
import path from 'node:path';
import { lazily } from '../../core/lazily.ts';
import type { CredentialSource } from '../../upstream/credentials.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that is set to something. */
function valueOf(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

export function homeOf(environment: Environment): string {
  return valueOf(environment, 'HOME') ?? homedir();
}

/** docker's own file, which logins are written to. */
export function dockerFile(environment: Environment): string {
  const folder = valueOf(environment, 'DOCKER_CONFIG');
  return path.join(folder ?? path.join(homeOf(environment), '.docker'), 'config.json');
}

/** Where crpy keeps its logins. */
export function crpyFile(environment: Environment): string {
  return path.join(homeOf(environment), '.crpy', 'config.json');
}

/** Every file that logins are looked for in; the first one that has one counts. */
export function credentialFiles(environment: Environment): readonly string[] {
  const home = homeOf(environment);
  const given = valueOf(environment, 'REGISTRY_AUTH_FILE');
  const runtime = valueOf(environment, 'XDG_RUNTIME_DIR');
  const config = valueOf(environment, 'XDG_CONFIG_HOME') ?? path.join(home, '.config');
  const podman = ['containers', 'auth.json'];
  return [
    dockerFile(environment),
    ...(given === undefined ? [] : [given]),
    ...(runtime === undefined ? [] : [path.join(runtime, ...podman)]),
    path.join(config, ...podman),
    crpyFile(environment),
  ];
}

/** What `docker login`, `podman login` and `crpy login` left behind. */
export function storedCredentials(environment: Environment): CredentialSource {
  // Registries that ask nobody who they are need none of it.
  const loaded = lazily(async () => {
    const { dockerCredentials } = await import('../../upstream/docker-config.ts');
    const { firstCredentials } = await import('../../upstream/credentials.ts');
    const files = credentialFiles(environment);
    return firstCredentials(...files.map((file) => dockerCredentials(file, { environment })));
  });
  return async (...asked) => (await loaded())(...asked);
}

import { podman } from './clients/podman.ts';
import { pulls } from './lib/pulls.ts';

await pulls('podman', podman);

import { buildah } from './clients/buildah.ts';
import { pulls } from './lib/pulls.ts';

await pulls('buildah', buildah);

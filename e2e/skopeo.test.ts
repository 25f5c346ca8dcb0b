import { skopeo } from './clients/skopeo.ts';
import { pulls } from './lib/pulls.ts';

await pulls('skopeo', skopeo);

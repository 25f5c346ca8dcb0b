import { oras } from './clients/oras.ts';
import { pulls } from './lib/pulls.ts';

await pulls('oras', oras);

import { crane } from './clients/crane.ts';
import { pulls } from './lib/pulls.ts';

await pulls('crane', crane);

import { writeFile } from 'node:fs/promises';
import { chartSchema } from './chart-schema.ts';
import { defaultFile } from './default-file.ts';
import { reference } from './reference.ts';

// `npm run docs`: what people and Helm read about the configuration, made from its schema.
const root = new URL('../../', import.meta.url);
await writeFile(new URL('config/layover.yaml', root), defaultFile());
await writeFile(new URL('docs/configuration.md', root), reference());
await writeFile(new URL('charts/layover/values.schema.json', root), chartSchema());

import { writeFile } from 'node:fs/promises';
import { defaultFile } from './default-file.ts';
import { reference } from './reference.ts';

// `npm run docs`: what people read about the configuration, made from its schema.
const root = new URL('../../', import.meta.url);
await writeFile(new URL('config/layover.yaml', root), defaultFile());
await writeFile(new URL('docs/configuration.md', root), reference());

import { isDigest } from '../../../core/digest.ts';
import { RegistryError } from '../../../core/errors.ts';
import type { Reference } from '../../../core/reference.ts';
import type { Opened } from '../../../image/opened.ts';
import { layerBytes } from '../../../image/files/layer-bytes.ts';
import { baseOf, pathOf } from '../../../image/files/path.ts';
import { openFile } from '../../../image/files/open-file.ts';
import { readSmallBlob } from '../../../image/small-blob.ts';
import type { Opening } from '../../opening.ts';
import { told } from '../../told.ts';
import { ApiError, jsonAnswer, queryOf, textAnswer, type Answer, type Query } from './answer.ts';
import { mergedLines, searchLines, singleLines } from './fslog.ts';
import { historyTable } from './history.ts';
import { passedThrough } from './hub.ts';
import type { Peeked } from './peeked.ts';
import {
  HUB,
  imageOf,
  platformAt,
  platformsIn,
  readTarget,
  targetName,
  type Image,
} from './target.ts';
import { buildScreen, layersOf, peekScreen, platformScreen, SINGLE, WELCOME } from './walk.ts';

export interface ApiOptions {
  readonly client: Opening;
  readonly peeked: Peeked;
  /** Where images are. */
  readonly registry: string | undefined;
  readonly hub: URL;
}

/** A request, and until when somebody waits for what is answered. */
interface Asked {
  readonly query: Query;
  readonly signal: AbortSignal;
  readonly held: AsyncDisposableStack;
}

const REPOSITORY = /^\/repositories\/([^/]+)\/([^/]+)\/tags(?:\/([^/]+)\/(images|config))?$/;
const PAGE = { page: undefined, page_size: undefined };

/** The routes of the HTTP API. What an answer reads from is held until `held` is disposed. */
export class Api {
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** @throws ApiError, Refusal, RegistryError, all of which `failedAnswer` knows */
  async answer(url: URL, signal: AbortSignal, held: AsyncDisposableStack): Promise<Answer> {
    const query = queryOf(url.searchParams);
    const asked = { query, signal, held };
    switch (url.pathname) {
      case '/peek-all':
        return await this.#peek(asked, 'all');
      case '/peek':
        if (query.flag('status_only')) return await this.#status(asked);
        return await this.#peek(asked, query.parameters.get('layer') ?? 'all');
      case '/peek/status':
        return await this.#status(asked);
      case '/carve':
        return await this.#carve(asked);
      case '/layer/download':
        return await this.#layer(asked);
      case '/fslog':
        return this.#fslog(query);
      case '/fslog-search':
        return this.#search(query);
      case '/history':
        return textAnswer(historyTable(this.#options.peeked.images(), query));
      case '/search.data': {
        const names = { q: query.required('q'), ...PAGE, sort: undefined, order: undefined };
        return await passedThrough(this.#options.hub, ['search.data'], query, names, signal);
      }
      case '/repositories': {
        const segments = ['v2', 'repositories', query.required('namespace')];
        return await passedThrough(this.#options.hub, segments, query, PAGE, signal);
      }
      default:
        return await this.#repository(url.pathname, asked);
    }
  }

  async #repository(path: string, asked: Asked): Promise<Answer> {
    const [, owner, name, tag, what] = REPOSITORY.exec(path)?.map(unescaped) ?? [];
    if (owner === undefined || name === undefined) throw new ApiError(404, 'Not Found');
    if (what === 'config') return await this.#config(`${HUB}/${owner}/${name}:${tag}`, asked);
    const below = tag === undefined ? [] : [tag, 'images'];
    const segments = ['v2', 'repositories', owner, name, 'tags', ...below];
    const names = { ...PAGE, ordering: 'last_updated' };
    return await passedThrough(this.#options.hub, segments, asked.query, names, asked.signal);
  }

  async #peek(asked: Asked, layers: string): Promise<Answer> {
    const { query, signal } = asked;
    const { peeked } = this.#options;
    const { opened, name } = await this.#open(query.required('image'), asked);
    const entries = await platformsIn(opened);
    const arch = query.number('arch', 0);
    const image = await imageOf(opened, entries && platformAt(entries, arch, '--arch'));
    const indices = layersOf(layers, image);
    const steps = await buildScreen(image, query.flag('hide_build') ? 'hidden' : 'shown');
    const head =
      entries === undefined
        ? SINGLE
        : `${platformScreen(entries)}Using platform index ${arch} (from --arch)\n`;
    peeked.image(name, image.layers);
    const again = async () => 'read' as const;
    async function* screen(): AsyncGenerator<string, void, undefined> {
      yield WELCOME + head + steps.join('');
      yield* peekScreen(image, indices, { peeked, signal, again });
    }
    return textAnswer(screen());
  }

  async #status(asked: Asked): Promise<Answer> {
    const { query } = asked;
    const text = query.required('image');
    const { opened } = await this.#open(text, asked);
    const { config, layers } = await forArchitecture(opened, query.parameters.get('arch'));
    const known = layers.map(({ digest, size }, idx) => {
      const layer = this.#options.peeked.layer(digest);
      const [peeked_at, entries_count] = [layer?.at ?? null, layer?.entries ?? 0];
      return { idx, digest, size, peeked: layer !== undefined, peeked_at, entries_count };
    });
    return jsonAnswer({
      image: text,
      config_digest: config.digest,
      layer_count: layers.length,
      peeked_count: known.filter(({ peeked }) => peeked).length,
      layers: known,
    });
  }

  async #carve(asked: Asked): Promise<Answer> {
    const { query, signal, held } = asked;
    const wanted = query.required('path');
    const { opened } = await this.#open(query.required('image'), asked);
    const image = await forArchitecture(opened, null);
    const layer = query.parameters.has('layer') ? query.number('layer', 0) : undefined;
    const file = held.use(await openFile(image, wanted, { layer, signal }));
    const type = query.flag('as_text') ? 'text/plain; charset=utf-8' : 'application/octet-stream';
    const name = baseOf(pathOf(wanted)).replaceAll(/[^\w.+-]/g, '_');
    const shown = query.flag('as_text') ? 'inline' : 'attachment';
    const headers = { 'Content-Disposition': `${shown}; filename="${name}"` };
    return { status: 200, type, headers, body: file.body };
  }

  async #layer(asked: Asked): Promise<Answer> {
    const digest = asked.query.required('digest');
    if (!isDigest(digest)) throw new ApiError(400, 'Invalid digest format');
    const { opened } = await this.#open(asked.query.required('image'), asked);
    const { source, repository } = opened;
    const { size } = await source.stat(repository, digest);
    const layers = [{ digest, size, mediaType: 'application/octet-stream' }];
    const { signal } = asked;
    const body = layerBytes({ source, repository, layers }, 0, 'verified', { signal });
    const file = `${digest.replace(':', '_')}.tar.gz`;
    const headers = { 'Content-Disposition': `attachment; filename="${file}"` };
    return { status: 200, type: 'application/gzip', headers, body };
  }

  async #config(text: string, asked: Asked): Promise<Answer> {
    const { opened } = await this.#open(text, asked);
    try {
      const { config } = await forArchitecture(opened, asked.query.parameters.get('arch'));
      const bytes = await readSmallBlob(opened.source, opened.repository, config);
      const body = Buffer.from(bytes).toString('utf8');
      return { status: 200, type: 'application/json', body };
    } catch (cause) {
      if (cause instanceof ApiError) throw cause;
      throw new ApiError(502, `Registry error: ${told(cause)}`, { cause });
    }
  }

  #fslog(query: Query): Answer {
    const { peeked } = this.#options;
    const image = this.#target(query.required('image')).name;
    const folder = query.required('path');
    if (!query.parameters.has('layer'))
      return textAnswer(joined(mergedLines(peeked, image, folder)));
    return textAnswer(joined(singleLines(peeked, image, query.number('layer', 0), folder)));
  }

  #search(query: Query): Answer {
    const { parameters } = query;
    const given = parameters.get('image');
    const image = given === null ? undefined : this.#target(given).name;
    const layer = parameters.has('layer') ? query.number('layer', 0) : undefined;
    return textAnswer(joined(searchLines(this.#options.peeked, query.required('q'), image, layer)));
  }

  #target(text: string) {
    const reference = referenceOf(text, this.#options.registry);
    return { reference, name: targetName(reference) };
  }

  async #open(text: string, { held }: Asked): Promise<{ opened: Opened; name: string }> {
    const { reference, name } = this.#target(text);
    const opened = await this.#options.client.open({ kind: 'registry', reference });
    return { opened: held.use(opened), name };
  }
}

/** The image for an architecture of linux: without one amd64, or else the first. */
async function forArchitecture(opened: Opened, architecture: string | null): Promise<Image> {
  const entries = await platformsIn(opened);
  if (entries === undefined) return await imageOf(opened, undefined);
  const wanted = architecture ?? 'amd64';
  const found = entries.find(({ platform }) => {
    return platform?.architecture === wanted && platform.os === 'linux';
  });
  const entry = found ?? (architecture === null ? entries[0] : undefined);
  if (entry !== undefined) return await imageOf(opened, entry);
  throw new ApiError(404, `No image for architecture ${wanted}`);
}

/** As the command line reads it, except that a namespace is needed. */
function referenceOf(text: string, registry: string | undefined): Reference {
  const detail = 'Invalid image reference format';
  if (!text.includes('/')) throw new ApiError(400, detail);
  try {
    return readTarget(text, registry);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw new ApiError(400, detail, { cause });
  }
}

function unescaped(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch (cause) {
    throw new ApiError(400, 'malformed path', { cause });
  }
}

async function* joined(lines: Iterable<string>): AsyncGenerator<string, void, undefined> {
  for (const line of lines) yield `${line}\n`;
}

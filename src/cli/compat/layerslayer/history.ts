import { columns } from '../../columns.ts';
import type { Query } from './answer.ts';
import type { SeenImage } from './peeked.ts';

const PAGE_SIZE = 30;
const LARGEST_PAGE = 100;

/** A table of the images that were peeked, the latest first unless asked for otherwise. @throws ApiError 422 */
export function historyTable(images: readonly SeenImage[], query: Query): string {
  const { parameters } = query;
  const [page, size] = [
    query.number('page', 1),
    query.number('page_size', PAGE_SIZE, LARGEST_PAGE),
  ];
  const wanted = (parameters.get('q') ?? '').toLowerCase();
  const key = parameters.get('sortby') ?? 'scraped_at';
  const of = ({ at, image }: SeenImage): string => (key === 'scraped_at' ? at : image);
  const sign = parameters.get('order') === 'asc' ? 1 : -1;
  const found = images
    .filter(({ image }) => image.toLowerCase().includes(wanted))
    .toSorted((a, b) => sign * (of(a) < of(b) ? -1 : 1));
  const start = Math.max(0, page - 1) * size;
  const rows = found
    .slice(start, start + size)
    .map(({ at, image, layers, peeked }) => [at.slice(0, 19), `${peeked}/${layers}`, image]);
  if (rows.length === 0) return 'No peeked images found\n';
  return columns([['peeked at', 'layers', 'image'], ...rows]);
}

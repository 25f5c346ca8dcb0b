import type { Content, Image } from './image.ts';

/** Puts an image into a registry under a tag, with nothing but the push half of the distribution API. */
export async function push(
  registry: string,
  repository: string,
  tag: string,
  image: Image,
): Promise<void> {
  const base = `${registry}/v2/${repository}`;
  for (const child of image.children) await push(registry, repository, child.digest, child);
  for (const blob of image.blobs) await pushBlob(base, blob);
  const answer = await fetch(`${base}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': image.mediaType },
    body: new Uint8Array(image.bytes),
  });
  await expectStatus(answer, 201);
}

async function pushBlob(base: string, blob: Content): Promise<void> {
  const present = await fetch(`${base}/blobs/${blob.digest}`, { method: 'HEAD' });
  if (present.status === 200) return;
  const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
  await expectStatus(begun, 202);
  const location = new URL(begun.headers.get('location') ?? '', base);
  location.searchParams.set('digest', blob.digest);
  const answer = await fetch(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(blob.bytes),
  });
  await expectStatus(answer, 201);
}

async function expectStatus(answer: Response, status: number): Promise<void> {
  const text = await answer.text();
  if (answer.status !== status) throw new Error(`${answer.url}: ${answer.status} ${text}`);
}

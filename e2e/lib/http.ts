import { request as plain, type IncomingHttpHeaders } from 'node:http';
import { request as secure } from 'node:https';
import { once } from 'node:events';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM of the authority that signs the server's certificate. */
  readonly ca?: string;
}

/** One request on a connection of its own, the body as it came. @throws Error when the answer is cut */
export async function ask(url: string, options: Request = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, ca } = options;
  const common = { method, headers, agent: false } as const;
  const request = url.startsWith('https:') ? secure(url, { ...common, ca }) : plain(url, common);
  const answered = once(request, 'response');
  request.end();
  const [response] = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { asError } from '../../core/errors.ts';

/** gRPC's status of a service that is not there, and of success. */
const UNIMPLEMENTED = 12;
const OK = 0;

export interface CriAnswer {
  readonly result: 'pulled' | 'failed' | 'no-cri';
  readonly message: string;
}

/**
 * Has containerd pull an image as the kubelet does, by `PullImage` of the runtime interface: the only way
 * that goes by containerd's own configuration. Aborting it ends the pull.
 * @throws Error of Node when nobody listens on the socket
 */
export async function pullByCri(
  socket: string,
  image: string,
  signal: AbortSignal,
): Promise<CriAnswer> {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
  const abort = (): void => session.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<CriAnswer>();
    session.on('error', reject);
    session.on('close', () => resolve({ result: 'failed', message: 'the connection was closed' }));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/runtime.v1.ImageService/PullImage',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status: IncomingHttpHeaders = {};
    stream.on('response', (headers) => (status = headers));
    stream.on('trailers', (headers) => (status = headers));
    // The stream says only that it was cancelled; why, its cause does.
    stream.on('error', (error: Error) => reject(asError(error.cause ?? error)));
    stream.on('end', () => resolve(answerIn(status)));
    stream.resume();
    stream.end(pullImageRequest(image));
    return await promise;
  } catch (error) {
    if (signal.aborted) return { result: 'failed', message: 'given up' };
    throw asError(error);
  } finally {
    signal.removeEventListener('abort', abort);
    session.destroy();
  }
}

function answerIn(headers: IncomingHttpHeaders): CriAnswer {
  const status = Number(headers['grpc-status'] ?? -1);
  const message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
  if (status === OK) return { result: 'pulled', message };
  return { result: status === UNIMPLEMENTED ? 'no-cri' : 'failed', message };
}

/** A `PullImageRequest` whose `image` has nothing but its `image`, as protobuf in a frame of gRPC. */
function pullImageRequest(image: string): Buffer {
  const message = field(field(Buffer.from(image)));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Field 1 with bytes of a length. */
function field(bytes: Buffer): Buffer {
  const length: number[] = [];
  let rest = bytes.length;
  while (rest > 127) {
    length.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length, rest]), bytes]);
}

import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** A client that sends what no well-behaved one would. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return socket;
}

/** Sends the text and gives everything that comes back until the server closes. */
export async function exchange(port: number, text: string): Promise<string> {
  const socket = await dial(port);
  socket.write(text, 'latin1');
  return untilClosed(socket);
}

export async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  // Not "once" of node:events, which takes an error for the end of waiting.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

/** Waits until what has come back satisfies the pattern, and gives it. */
export function until(socket: Socket, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const look = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (!pattern.test(text)) return;
      socket.off('data', look);
      resolve(text);
    };
    socket.on('data', look);
    socket.once('close', () => reject(new Error(`closed after: ${text.slice(0, 200)}`)));
  });
}

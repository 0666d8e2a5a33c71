/**
 * How many connections there are at a time, altogether and from one address: whoever has more is told so, and the others
 * still get in.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { isLoopback } from '../addresses.ts';
import type { Clock } from '../ports.ts';
import { ApiError, answerOf } from './errors.ts';

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Reverse proxies stand on loopback, which is therefore exempt. */
  readonly maxConnectionsPerAddress: number;
}

/** Beyond the limit there is still room for so many that are being told. */
const ROOM_TO_REFUSE = 64;

/** How long who was refused may take to read why. */
const LINGER_MS = 1000;

/** Returns what tells whether a connection was refused: nothing that comes on it is a request. */
export function limitConnections(
  server: Server,
  limits: ConnectionLimits,
  clock: Clock,
): (socket: Socket) => boolean {
  const refused = new WeakSet<Socket>();
  /** Those that count, by address; who was refused takes nobody's place. */
  const counted = new Map<string, number>();
  let open = 0;
  const leave = (address: string): void => {
    open -= 1;
    const left = (counted.get(address) ?? 1) - 1;
    if (left === 0) counted.delete(address);
    else counted.set(address, left);
  };
  // What is beyond is closed without a word.
  server.maxConnections = limits.maxConnections + ROOM_TO_REFUSE;
  // By TLS, an answer can be given only after the handshake.
  const ready = 'setSecureContext' in server ? 'secureConnection' : 'connection';
  // Before the server's own listener, which begins to read requests.
  server.prependListener(ready, (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const ofAddress = counted.get(address) ?? 0;
    const tooMany = !isLoopback(address) && ofAddress >= limits.maxConnectionsPerAddress;
    if (open < limits.maxConnections && !tooMany) {
      open += 1;
      counted.set(address, ofAddress + 1);
      socket.once('close', () => leave(address));
      return;
    }
    const whose = tooMany ? `${address} has` : 'there are';
    const message = `${whose} too many connections to this node at a time: close some, or try again later`;
    refused.add(socket);
    socket.on('error', () => {});
    // Closed at once with bytes unread, the connection would be reset, and the answer perhaps lost.
    socket.once(
      'close',
      clock.after(LINGER_MS, () => socket.destroy()),
    );
    socket.end(answerOf(new ApiError('UNAVAILABLE', message, { 'retry-after': '5' })));
  });
  return (socket) => refused.has(socket);
}

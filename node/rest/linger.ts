/**
 * Answering before the whole request was read. Closing at once would reset the connection, and the client could lose
 * the answer that explains it; so the rest is read and thrown away for a bounded while.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../ports.ts';

export function drainRest(request: IncomingMessage, clock: Clock, lingerMs: number): void {
  if (request.complete) return;
  request.unpipe();
  request.resume();
  const cancel = clock.after(lingerMs, () => request.socket.destroy());
  request.once('end', cancel);
  request.once('close', cancel);
}

/** Worker thread of `hash-pool.ts`: hashes files one after the other, so that the event loop of the daemon needn't. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { Turns } from '../turns.ts';
import type { HashReply, HashRequest } from './hash-pool.ts';

const READ_BYTES = 1024 * 1024;

async function answer(request: HashRequest): Promise<HashReply> {
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of createReadStream(request.path, { highWaterMark: READ_BYTES })) {
      hash.update(chunk);
      size += chunk.length;
    }
    return { id: request.id, ok: true, sha256: hash.digest('hex'), size };
  } catch (error) {
    return { id: request.id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

function serve(port: MessagePort): void {
  const turns = new Turns();
  port.on('message', (request: HashRequest) => {
    void turns.take(async () => port.postMessage(await answer(request)));
  });
}

if (parentPort !== null) serve(parentPort);

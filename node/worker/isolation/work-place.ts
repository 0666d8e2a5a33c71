import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Names what belongs to one node of this machine, the same after each start. */
export function tagOf(directory: string): string {
  return createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 12);
}

/** Where programs of another user work for a node whose own `directory` is closed to them. */
export function openWorkDirectory(directory: string): string {
  return join('/var/lib/fsched', `work-${tagOf(directory)}`);
}

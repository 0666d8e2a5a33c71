/** Data directories as a founder left them: its key, its identity, and a log whose commands a test chooses. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { encode as encodeCbor } from 'cborg';
import type { Configuration, Entry } from '../../node/consensus/types.ts';
import { loadKey } from '../../node/mesh/key-file.ts';
import { encodeCommand } from '../../node/state/commands.ts';
import { openLevelLogStore } from '../../node/store/level-log-store.ts';
import type { Command } from '../../protocols/schema/command.ts';

/** The peer id that a node has that starts there; makes its key. */
export async function peerIdIn(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  return peerIdFromPrivateKey(await loadKey(join(dataDir, 'peer-key'))).toString();
}

export interface Left {
  readonly founder: boolean;
  /** Whom it knew. */
  readonly peers: readonly { readonly id: string; readonly addresses: readonly string[] }[];
  readonly configuration: Configuration;
  /** As entries of the log: see `format1` and `encodeCommand`. */
  readonly commands: readonly Uint8Array[];
  readonly tokenFile: string;
}

/** An identity of format 1, which every version reads. */
export async function leaveDataDirectory(dataDir: string, left: Left): Promise<void> {
  const { founder, peers, configuration, commands, tokenFile } = left;
  await using store = await openLevelLogStore({ directory: join(dataDir, 'log') });
  const term = 1;
  const entries: Entry[] = [
    { kind: 'configuration', term, index: 1, configuration },
    ...commands.map((data, at): Entry => ({ kind: 'command', term, index: at + 2, data })),
  ];
  await store.write({ hardState: { term, votedFor: null, commitIndex: entries.length }, entries });
  const identity = { format: 1, clusterId: 'c0ffee', founder, peers, removed: false };
  await store.put('cluster', encodeCbor(identity));
  await writeFile(join(dataDir, 'join-token'), `${tokenFile}\n`, { mode: 0o600 });
}

/** A command as format 1 had it. */
export const format1 = (command: object): Uint8Array => Uint8Array.from([1, ...encodeCbor(command)]);
export const asEntry = (command: Command): Uint8Array => encodeCommand(command);

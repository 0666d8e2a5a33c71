/** The key that this node's peer id is made of: created once, kept in a file that only its owner can read. */
import { readFile } from 'node:fs/promises';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { writeDurably } from '../durable-file.ts';
import { MeshError } from './types.ts';

/** Reads the key, or makes one when there is no file. @throws MeshError KEY_FILE */
export async function loadKey(path: string): Promise<PrivateKey> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return createKey(path);
    throw new MeshError('KEY_FILE', `the key file ${path} can't be read; check its owner and mode`, {
      cause,
    });
  }
  return parseKey(path, bytes);
}

function parseKey(path: string, bytes: Uint8Array): PrivateKey {
  let cause: unknown;
  try {
    const key = privateKeyFromProtobuf(bytes);
    if (key.type === 'Ed25519') return key;
  } catch (error) {
    cause = error;
  }
  throw new MeshError(
    'KEY_FILE',
    `the key file ${path} is damaged: restore it from a backup, or delete it to give this node a new ` +
      'identity (it must then join its cluster again, and its old id be removed)',
    { cause },
  );
}

async function createKey(path: string): Promise<PrivateKey> {
  const key = await generateKeyPair('Ed25519');
  try {
    await writeDurably(path, privateKeyToProtobuf(key));
    return key;
  } catch (cause) {
    throw new MeshError('KEY_FILE', `the key file ${path} can't be written; check the directory's mode`, {
      cause,
    });
  }
}

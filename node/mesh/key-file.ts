/** The key that this node's peer id is made of: created once, kept in a file that only its owner can read. */
import { readFile } from 'node:fs/promises';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { Credential } from '../../protocols/proof/index.ts';
import { writeDurably } from '../durable-file.ts';
import { MeshError } from './types.ts';

/** A raw Ed25519 key is the seed, then the public key. */
const SEED_BYTES = 32;

/** Reads the key, or makes one when there is no file. @throws MeshError KEY_FILE */
export async function loadKey(path: string): Promise<PrivateKey> {
  const bytes = await readKey(path);
  return bytes === null ? createKey(path) : parseKey(path, bytes);
}

/** What the node of this key proves itself by; null: there is no such file. @throws MeshError KEY_FILE */
export async function loadCredential(path: string): Promise<Credential | null> {
  const bytes = await readKey(path);
  if (bytes === null) return null;
  const key = parseKey(path, bytes);
  const id = peerIdFromPrivateKey(key).toString();
  return { bearer: { type: 'peer', id }, seed: key.raw.subarray(0, SEED_BYTES) };
}

/** Null: there is no file. */
async function readKey(path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new MeshError('KEY_FILE', `the key file ${path} can't be read; check its owner and mode`, {
      cause,
    });
  }
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

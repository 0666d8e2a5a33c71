/**
 * Which user of this machine is at the other end of a TCP connection over loopback, by the kernel's tables of sockets
 * (proc_pid_net(5), `/proc/net/tcp` and `tcp6`). The user is the one who made the socket; no program can say another.
 */
import { open } from 'node:fs/promises';
import { endianness } from 'node:os';

/** One end as Node tells it. */
export interface Endpoint {
  readonly address: string | undefined;
  readonly port: number | undefined;
}

const TABLES = { ipv4: '/proc/net/tcp', ipv6: '/proc/net/tcp6' } as const;
const ESTABLISHED = '01';
const LISTENING = '0A';
/** Some 400,000 sockets: on a machine that has more nobody is told apart, and everybody asked for a token. */
const MAX_TABLE_BYTES = 64 * 1024 ** 2;
/** A row may be overlooked when its neighbours come and go while the table is read. */
const LOOKS = 2;

interface Search {
  /** As the rows begin: the other end's own address, then ours. */
  readonly keys: { readonly ipv4: string | null; readonly ipv6: string };
  owner: number | null;
  readonly done: () => void;
}

export class SocketOwners {
  readonly #tables: { readonly ipv4: string; readonly ipv6: string };
  #waiting: Search[] = [];
  #looking = false;

  /** @param tables for tests: where the tables lie */
  constructor(tables: { readonly ipv4: string; readonly ipv6: string } = TABLES) {
    this.#tables = tables;
  }

  /**
   * The user id at the remote end of a connection; null: it isn't on loopback, is gone, or can't be known. However many
   * ask, the tables are read by one at a time, for all who wait.
   */
  async ownerOf(local: Endpoint, remote: Endpoint): Promise<number | null> {
    const [ours, theirs] = [toRow(local), toRow(remote)];
    if (ours === null || theirs === null) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    const ipv4 = ours.ipv4 && theirs.ipv4 && `${theirs.ipv4} ${ours.ipv4}`;
    const keys = { ipv4, ipv6: `${theirs.ipv6} ${ours.ipv6}` };
    const search: Search = { keys, owner: null, done: resolve };
    this.#waiting.push(search);
    if (!this.#looking) void this.#look();
    await promise;
    return search.owner;
  }

  /** Who listens on a port of this machine, at whatever address. @throws when the tables can't be read */
  async listenersOn(port: number): Promise<readonly number[]> {
    const owners: number[] = [];
    const suffix = `:${toHex(port, 4)}`;
    for (const path of Object.values(this.#tables)) {
      await eachRow(path, (row) => {
        const [, local, , state] = row.trim().split(/\s+/);
        if (state === LISTENING && local?.endsWith(suffix)) owners.push(Number(row.trim().split(/\s+/)[7]));
        return false;
      });
    }
    return owners;
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#waiting.length > 0) {
      // Who comes from now on may have connected after the row was passed: the next reading is for them.
      const batch = this.#waiting.splice(0);
      for (let look = 0; look < LOOKS && batch.some(({ owner }) => owner === null); look++) {
        await this.#search(batch, 'ipv4').catch(() => {});
        await this.#search(batch, 'ipv6').catch(() => {});
      }
      for (const { done } of batch) done();
    }
    this.#looking = false;
  }

  async #search(batch: readonly Search[], family: 'ipv4' | 'ipv6'): Promise<void> {
    const wanted = new Map<string, Search>();
    for (const search of batch) {
      const key = search.keys[family];
      if (search.owner === null && key !== null) wanted.set(key, search);
    }
    const [first] = wanted.keys();
    if (first === undefined) return;
    await eachRow(this.#tables[family], (row) => {
      const start = row.indexOf(':') + 2;
      const key = row.slice(start, start + first.length);
      const search = wanted.get(key);
      if (search === undefined) return false;
      search.owner = ownerIn(row.slice(start));
      if (search.owner !== null) wanted.delete(key);
      return wanted.size === 0;
    });
  }
}

/**
 * Of a socket that no process has any more (closed while data is on its way, or waiting out its time) the kernel says
 * user 0 and inode 0: it is nobody's.
 */
function ownerIn(row: string): number | null {
  const [, , state, , , , user, , inode] = row.split(/\s+/);
  return state === ESTABLISHED && inode !== '0' ? Number(user) : null;
}

/** @param visit returns true when it has seen enough */
async function eachRow(path: string, visit: (row: string) => boolean): Promise<void> {
  await using file = await open(path, 'r');
  const buffer = Buffer.allocUnsafe(64 * 1024);
  let rest = '';
  for (let seen = 0; seen < MAX_TABLE_BYTES; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    seen += bytesRead;
    const rows = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
    rest = rows.pop() ?? '';
    for (const row of rows) if (visit(row)) return;
  }
}

const toHex = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, '0');
/** The kernel prints each 32 bits of an address as a number of the machine. */
const wordOf = (bytes: readonly number[]): string =>
  (endianness() === 'LE' ? bytes.toReversed() : bytes).map((byte) => toHex(byte, 2)).join('');

const ZEROS = wordOf([0, 0, 0, 0]);
const MAPPED = ZEROS + ZEROS + wordOf([0, 0, 255, 255]);
const LOOPBACK_6 = ZEROS + ZEROS + ZEROS + wordOf([0, 0, 0, 1]);

/** An end as the tables write it; null: it isn't on loopback. A program may reach IPv4 through a socket of IPv6. */
function toRow({ address = '', port = 0 }: Endpoint): { ipv4: string | null; ipv6: string } | null {
  const suffix = `:${toHex(port, 4)}`;
  if (address === '::1') return { ipv4: null, ipv6: LOOPBACK_6 + suffix };
  const bytes = /^(?:::ffff:)?(127)\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(address)?.slice(1).map(Number);
  if (bytes === undefined) return null;
  return { ipv4: wordOf(bytes) + suffix, ipv6: MAPPED + wordOf(bytes) + suffix };
}

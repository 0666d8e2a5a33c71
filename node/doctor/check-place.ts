/** Where a node would keep its files and listen. */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { multiaddr } from '@multiformats/multiaddr';
import { formatHostPort, type HostPort } from '../addresses.ts';
import type { NodeConfig } from '../config/config.ts';
import { judgeRoom } from '../disk/reserve.ts';
import { mebibytes, readSpace } from '../disk/space.ts';
import { type Finding, finding, succeeds } from './finding.ts';

const OTHERS = 0o077;

export async function checkDataDirectory(directory: string): Promise<Finding> {
  const what = 'data directory';
  const found = await stat(directory).catch(() => null);
  const place = found === null ? await findExisting(directory) : directory;
  const usable = await succeeds(access(place, constants.W_OK | constants.X_OK));
  if (!usable || found?.isDirectory() === false)
    return finding(what, 'failed', `no permission to write ${place}: name another with --data-dir`);
  if (found === null) return finding(what, 'ok', `${directory}, to be made`);
  if (await isLocked(join(directory, 'log', 'LOCK')))
    return finding(
      what,
      'failed',
      `${directory} is in use by a node that runs: name another with --data-dir`,
    );
  if ((found.mode & OTHERS) === 0) return finding(what, 'ok', directory);
  const message = `${directory} is open to other users, and to programs without a sandbox: chmod 700 it`;
  return finding(what, 'missing', message);
}

/** Whether a node would take runs and uploads. */
export async function checkRoom({ dataDir, diskReserve }: NodeConfig): Promise<Finding> {
  const space = await readSpace(await findExisting(join(dataDir, 'log')));
  if (space === null) return finding('disk', 'missing', `it tells nothing of what is free in ${dataDir}`);
  const { reserveBytes, isLow } = judgeRoom(space, diskReserve);
  const told = `${mebibytes(space.freeBytes)} free, of which the node keeps ${mebibytes(reserveBytes)} for its log`;
  return isLow
    ? finding('disk', 'missing', `no run is started, no upload taken: ${told}`)
    : finding('disk', 'ok', told);
}

/** Whether some process holds a lock of the file, as the kernel lists them; asking for it would take it for a moment. */
async function isLocked(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  if (found === null) return false;
  const locks = await readFile('/proc/locks', 'utf8').catch(() => '');
  return locks.split('\n').some((line) => line.includes(` WRITE `) && line.includes(`:${found.ino} `));
}

async function findExisting(path: string): Promise<string> {
  const parent = dirname(path);
  return parent === path || (await succeeds(stat(parent))) ? parent : findExisting(parent);
}

export async function checkPorts(config: NodeConfig): Promise<Finding[]> {
  const [host, tcp] = multiaddr(config.listen).getComponents();
  const mesh = { host: host?.value ?? '', port: Number(tcp?.value ?? 0) };
  return Promise.all([
    checkPort('mesh port', '--listen', mesh),
    checkPort('REST port', '--rest', config.rest),
  ]);
}

async function checkPort(what: string, flag: string, place: HostPort): Promise<Finding> {
  const code = await new Promise<string | null>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(place.port, place.host, () => server.close(() => resolve(null)));
  });
  const shown = formatHostPort(place);
  if (code === null) return finding(what, 'ok', `${shown} is free`);
  const why = code === 'EADDRINUSE' ? 'is in use (by a node that runs?)' : `can't be listened on (${code})`;
  return finding(what, 'failed', `${shown} ${why}: stop what uses it, or name another with ${flag}`);
}

/** What a node finds in its data directory, and makes there: the room that is kept for it, the log, files, tokens. */
import { join } from 'node:path';
import { apiTokenHash } from '../protocols/proof/token-keys.ts';
import { systemClock, systemRandom } from './adapters.ts';
import type { NodeConfig } from './config/config.ts';
import { loadApiToken, makeDirectory, StartError, warnIfOpen } from './daemon-checks.ts';
import { Ballast } from './disk/ballast.ts';
import { DiskReserve } from './disk/reserve.ts';
import { readSpace } from './disk/space.ts';
import { loadIdentity } from './membership/cluster-identity.ts';
import { loadToken } from './membership/token.ts';
import type { Clock, Logger } from './ports.ts';
import { BlobStore } from './store/blob-store.ts';
import { openLevelLogStore } from './store/level-log-store.ts';
import { openPatientLogStore, type PatientLogStore } from './store/patient-log-store.ts';
import { canMeasure } from './worker/disk-usage.ts';
import { DiskWatch } from './worker/disk-watch.ts';

export interface Disk {
  readonly reserve: DiskReserve;
  readonly ballast: Ballast;
  readonly watch: DiskWatch | null;
}

/** Before anything is written. */
export async function openDisk(
  { dataDir, diskReserve, diskLimit, fileLimit }: NodeConfig,
  ports: { readonly clock: Clock; readonly onChange: () => void; readonly logger: Logger },
): Promise<Disk> {
  await makeDirectory(dataDir);
  const parts = { ...ports, readSpace };
  const ballast = new Ballast({ path: join(dataDir, 'ballast') }, parts);
  await ballast.start();
  const reserve = new DiskReserve({ directory: dataDir, size: diskReserve }, { ...parts, ballast });
  const canWatch = await canMeasure();
  if (!canWatch)
    ports.logger.warn({}, 'what runs keep on disk is not limited: find (findutils) does not work here');
  const watch = canWatch
    ? new DiskWatch({ bytes: diskLimit, files: fileLimit }, { ...parts, reserve })
    : null;
  return { reserve, ballast, watch };
}

interface DataDirectory {
  readonly store: PatientLogStore;
  /** A join token, which only who is no member yet needs; null: there is none. */
  readonly token: string | null;
  /** `apiTokenHash` of this node's own. */
  readonly apiToken: string;
  readonly shelf: BlobStore;
}

export async function openDataDirectory(
  config: NodeConfig,
  logger: Logger,
  { reserve, watch, makeRoom }: Disk & { readonly makeRoom: () => Promise<boolean> },
  stack: AsyncDisposableStack,
): Promise<DataDirectory> {
  // Before all else that it keeps: it holds the lock of the data directory.
  const store = await openPatientLogStore({
    open: () => openLevelLogStore({ directory: join(config.dataDir, 'log') }),
    onFull: () => void watch?.look(),
    makeRoom,
    clock: systemClock,
    logger: logger.child({ room: 'disk' }),
  });
  stack.defer(() => store.close());
  const token = await readJoinToken(config, store, logger);
  const apiToken = await loadApiToken(apiTokenFile(config), config.apiTokenFile === null, systemRandom);
  await warnIfOpen(apiTokenFile(config), 'API token', logger);
  const shelf = stack.use(
    new BlobStore(
      { directory: join(config.dataDir, 'blobs') },
      {
        clock: systemClock,
        random: systemRandom,
        logger: logger.child({ room: 'blobs' }),
        shortage: () => reserve.shortage,
      },
    ),
  );
  await shelf.start();
  return { store, token, apiToken: apiTokenHash(apiToken), shelf };
}

/**
 * The join token that this node asks with, or is called in by. A member is known by its peer id: whatever file it is
 * told of then, it starts.
 */
async function readJoinToken(
  { join: targets, tokenFile, dataDir }: NodeConfig,
  store: PatientLogStore,
  logger: Logger,
): Promise<string | null> {
  const identity = await loadIdentity(store);
  const ownFile = join(dataDir, 'join-token');
  if (identity === null) {
    // Only who founds a cluster makes a token: one made by a member would be another than the cluster's.
    const file = tokenFile ?? ownFile;
    const token = await loadToken(file, targets.length === 0 && tokenFile === null);
    if (!token.ok) throw new StartError('TOKEN', token.error.message);
    await warnIfOpen(file, 'join token', logger);
    return token.value;
  }
  // A founder that has done nothing yet may still follow others.
  const follows = identity.founder && targets.length > 0;
  const files = follows ? [tokenFile, ownFile] : [ownFile, tokenFile];
  for (const file of files) {
    const token = file === null ? null : await loadToken(file, false);
    if (file === null || !token?.ok) continue;
    await warnIfOpen(file, 'join token', logger);
    return token.value;
  }
  return null;
}

export const apiTokenFile = ({ apiTokenFile: given, dataDir }: NodeConfig): string =>
  given ?? join(dataDir, 'api-token');

import { homedir, hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { DEFAULT_MESH_PORT } from '../addresses.ts';
import type { ReserveSize } from '../disk/reserve.ts';
import type { UidRange } from '../worker/isolation/uid-range.ts';
import { machineMemoryBytes } from '../worker/machine.ts';

/** What a node is told at its start. `load.ts` gathers, validates and freezes it. */
export interface NodeConfig {
  /** Name for people. @default the host's name */
  readonly name: string;
  /** Directory of everything that this node keeps. @default $XDG_STATE_HOME/fsched */
  readonly dataDir: string;
  /** Multiaddr to listen on for the mesh; port 0 means any free port. @default /ip4/127.0.0.1/tcp/8300 */
  readonly listen: string;
  /** @default 127.0.0.1:8200 */
  readonly rest: { readonly host: string; readonly port: number };
  /** HOST:PORT or multiaddr of members to join through. @default [] */
  readonly join: readonly string[];
  /**
   * Networks (CIDR) where callers and members may send this node although no member should be there: see `DialRules`.
   * @default []
   */
  readonly allowDial: readonly string[];
  /** File that holds the join token. @default DATA-DIR/join-token */
  readonly tokenFile: string | null;
  /** How long a new cluster's first join token lets nodes in, ms; null: until it is revoked. @default 24 h */
  readonly foundingTokenTtl: number | null;
  /** File that holds this node's own API token; null: DATA-DIR/api-token, which the node makes. @default null */
  readonly apiTokenFile: string | null;
  /** Certificate of REST in PEM, with its chain; null: HTTP without encryption. Read again at SIGHUP. @default null */
  readonly tlsCert: string | null;
  /** Private key of `tlsCert`. @default null */
  readonly tlsKey: string | null;
  /** Names that REST is reached by beside IP addresses and localhost, through a reverse proxy say. @default [] */
  readonly allowedHost: readonly string[];
  /** Requests a second that each caller of REST may make; null: any number. @default 200 */
  readonly rateLimit: number | null;
  /** How LLC partitions are held. @default auto */
  readonly llc: 'auto' | 'resctrl' | 'emulated' | 'unenforced';
  /** Overrides what the machine says of its cache. @default null */
  readonly llcGeometry: { readonly ways: number; readonly wayBytes: number } | null;
  /** Memory bandwidth of the shared pool, percent, where the machine can allocate it; null: no limit. @default null */
  readonly poolBandwidth: number | null;
  /** How many members vote at most; odd. @default 5 */
  readonly voters: number;
  /** Largest task file, bytes. @default 268435456 */
  readonly maxUploadBytes: number;
  /** Longest queue of runs. @default 1024 */
  readonly queueLimit: number;
  /** Time limit of a run that asks for none. @default 60000 */
  readonly timeLimitMs: number;
  /** Kept of each output stream of a run. @default 1048576 */
  readonly outputLimitBytes: number;
  /** One user for all programs. @default users of their own where the node runs as root, else the node's user */
  readonly runAs: string | null;
  /** Ids that runs get as users of their own, where the node runs as root. @default 60800-61183 */
  readonly runUids: UidRange | null;
  /** Whether programs run in a sandbox (bubblewrap); `auto`: where it works. @default auto */
  readonly sandbox: 'auto' | 'on' | 'off';
  /** Whether programs in the sandbox reach the network. @default false */
  readonly sandboxNetwork: boolean;
  /**
   * Memory that a run may use, bytes; null: any. A run that takes all brings down the node and its neighbours.
   * @default 80 % of the machine's
   */
  readonly memoryLimit: number | null;
  /** CPUs' worth of time that a run may use; held by control groups only. @default null */
  readonly cpuLimit: number | null;
  /** Processes and threads of a run: enough for a thread pool on each CPU of a large machine. @default 512 */
  readonly processLimit: number | null;
  /** Files that a process of a run may have open: the usual soft limit. @default 1024 */
  readonly openFileLimit: number | null;
  /** What a run may keep on disk, bytes; also the largest file that it may write. @default 1073741824 */
  readonly diskLimit: number | null;
  /** Files and directories that a run may keep: as many as a usual file system of 1 GiB has. @default 65536 */
  readonly fileLimit: number | null;
  /**
   * What the node keeps of its disks for its own log; below it no run is started and no upload taken.
   * @default 5 % of the file system, at least 64 MiB
   */
  readonly diskReserve: ReserveSize;
  /**
   * Directory of the working directories where programs run as another user without a sandbox. @default
   * /var/lib/fsched/…
   */
  readonly workDir: string | null;
  /** Between two heartbeats of the master. @default 100 */
  readonly heartbeatMs: number;
  /** Shortest election timeout; the longest is twice that. @default 600 */
  readonly electionTimeoutMs: number;
  /** @default info */
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug' | 'silent';
}

/** Voters beyond this many slow every write and save nobody (Raft, section 5.1: seven survive three losses). */
export const MAX_VOTERS = 7;

/** What the defaults take from the machine. */
export interface Host {
  readonly name: string;
  readonly homeDirectory: string;
  readonly memoryBytes: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const readHost = (): Host => ({
  name: hostname(),
  homeDirectory: homedir(),
  memoryBytes: machineMemoryBytes(),
});

/** `$XDG_STATE_HOME/fsched`; the XDG specification ignores a relative path and falls back on ~/.local/state. */
export function defaultDataDir(environment: Environment, { homeDirectory }: Host): string {
  const given = environment.XDG_STATE_HOME;
  const state = given !== undefined && isAbsolute(given) ? given : join(homeDirectory, '.local', 'state');
  return join(state, 'fsched');
}

/** The defaults that are the same everywhere, stated once. */
export const FIXED_DEFAULTS = {
  listen: `/ip4/127.0.0.1/tcp/${DEFAULT_MESH_PORT}`,
  rest: { host: '127.0.0.1', port: 8200 },
  join: [],
  allowDial: [],
  tokenFile: null,
  foundingTokenTtl: 24 * 3_600_000,
  apiTokenFile: null,
  tlsCert: null,
  tlsKey: null,
  allowedHost: [],
  rateLimit: 200,
  llc: 'auto',
  llcGeometry: null,
  poolBandwidth: null,
  voters: 5,
  maxUploadBytes: 256 * 1024 * 1024,
  queueLimit: 1024,
  timeLimitMs: 60_000,
  outputLimitBytes: 1024 * 1024,
  runAs: null,
  runUids: null,
  sandbox: 'auto',
  sandboxNetwork: false,
  cpuLimit: null,
  processLimit: 512,
  openFileLimit: 1024,
  diskLimit: 1024 ** 3,
  fileLimit: 65_536,
  diskReserve: { share: 0.05, bytes: 64 * 1024 ** 2 },
  workDir: null,
  heartbeatMs: 100,
  electionTimeoutMs: 600,
  logLevel: 'info',
} as const satisfies Partial<NodeConfig>;

/** The default of every option on this machine. */
export const defaultsOf = (environment: Environment, host: Host): NodeConfig => ({
  ...FIXED_DEFAULTS,
  name: host.name,
  dataDir: defaultDataDir(environment, host),
  memoryLimit: Math.floor(host.memoryBytes * 0.8),
});

/**
 * Every option of a node, once: the key in `NodeConfig` and in the file; the flag (`--data-dir`) and the
 * environment variable (`FSCHED_DATA_DIR`) follow from the key. The CLI makes its help from this table.
 */
import { MAX_OUTPUT_BYTES, MAX_TIME_LIMIT_MS } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { formatHostPort, isHost, parseHostPort, parseListen, parseTarget } from '../addresses.ts';
import { parseNetwork } from '../dial-rules.ts';
import { BALLAST_BYTES } from '../disk/ballast.ts';
import { parseGeometry } from '../llc/geometry.ts';
import { DEFAULT_RUN_UIDS, formatUidRange } from '../worker/isolation/uid-range.ts';
import { FIXED_DEFAULTS, type Host, MAX_VOTERS, type NodeConfig } from './config.ts';
import {
  formatDuration,
  formatSize,
  parseAmount,
  parseChoice,
  parseCount,
  parseDuration,
  parseMemory,
  parseOrNone,
  parseReserve,
  parseSize,
  parseSwitch,
  parseText,
  parseUidRange,
  textOf,
} from './values.ts';

export interface NodeOption {
  readonly key: keyof NodeConfig;
  readonly flag: string;
  readonly variable: string;
  /** Placeholder of the value in help texts. */
  readonly value: string;
  readonly help: string;
  /** The default in words; null: none. */
  readonly default: string | null;
  /** May be given more than once. */
  readonly repeats: boolean;
  /** What the flag means without a value; null: it needs one. */
  readonly bare: string | null;
  /** A path, relative to the file or directory that it was written in. */
  readonly isPath: boolean;
  readonly parse: (
    value: unknown,
    host: Host,
  ) => Outcome<unknown, string> | Promise<Outcome<unknown, string>>;
}

/** A default as its option would be written; null: none, or it depends on the machine. */
function tellDefault(key: keyof NodeConfig): string | null {
  if (key === 'rest') return formatHostPort(FIXED_DEFAULTS.rest);
  const value = (FIXED_DEFAULTS as Partial<NodeConfig>)[key] ?? null;
  if (typeof value === 'object') return null;
  if (typeof value !== 'number') return String(value);
  return key.endsWith('Bytes') || key === 'diskLimit'
    ? formatSize(value)
    : key.endsWith('Ms')
      ? formatDuration(value)
      : String(value);
}

function option(
  key: keyof NodeConfig,
  value: string,
  help: string,
  parse: NodeOption['parse'],
  more: Partial<Pick<NodeOption, 'default' | 'repeats' | 'bare'>> = {},
): NodeOption {
  const words = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    key,
    flag: `--${words}`,
    variable: `FSCHED_${words.replaceAll('-', '_').toUpperCase()}`,
    value,
    help,
    default: more.default ?? tellDefault(key),
    repeats: more.repeats ?? false,
    isPath: parse === parseFile || parse === parseDirectory,
    bare: more.bare ?? null,
    parse,
  };
}

const parseVoters = (value: unknown): Outcome<number, string> => {
  const parsed = parseCount(1, MAX_VOTERS)(value);
  return parsed.ok && parsed.value % 2 === 1
    ? parsed
    : fail('write 1, 3, 5 or 7: an even number of voters is no safer');
};

/** A list in a file, one or several values (between commas or spaces) in text. */
const itemsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).flatMap((item) =>
    textOf(item)
      .split(/[\s,]+/)
      .filter((part) => part !== ''),
  );

async function parseJoin(value: unknown): Promise<Outcome<readonly string[], string>> {
  const items = itemsOf(value);
  for (const item of items) {
    const parsed = await parseTarget(item);
    if (!parsed.ok) return parsed;
  }
  return succeed(items);
}

function parseNetworks(value: unknown): Outcome<readonly string[], string> {
  const items = itemsOf(value);
  const wrong = items.find((item) => parseNetwork(item) === null);
  return wrong === undefined
    ? succeed(items)
    : fail(`write a network such as 169.254.0.0/16 or an address, not ${JSON.stringify(wrong)}`);
}

function parseHostNames(value: unknown): Outcome<readonly string[], string> {
  const items = itemsOf(value);
  const wrong = items.find((item) => !isHost(item));
  return wrong === undefined
    ? succeed(items)
    : fail(`write a name without a port such as fsched.example.org, not ${JSON.stringify(wrong)}`);
}

function parseLlcGeometry(value: unknown): Outcome<NodeConfig['llcGeometry'], string> {
  const parsed = parseGeometry(textOf(value));
  return parsed.ok ? parsed : fail(parsed.error.message.replace(/\.$/, ''));
}

/** `50` or `50%`. */
const parsePercent = (value: unknown): Outcome<number, string> => {
  const parsed = parseCount(1, 100)(textOf(value).replace(/\s*%$/, ''));
  return parsed.ok ? parsed : fail('write a percentage from 1% to 100%');
};

const TIB = 1024 ** 4;
/** A run-time that can't have this much doesn't start. */
const MIN_MEMORY_BYTES = 16 * 1024 ** 2;
/** What a node throws away when its log has no other room must fit into what it keeps for it. */
const MIN_RESERVE_BYTES = BALLAST_BYTES;
const MIN_DISK_BYTES = 1024 ** 2;
const parseFile = parseText('the path of a file');
const parseDirectory = parseText('the path of a directory');

export const NODE_OPTIONS: readonly NodeOption[] = [
  option('name', 'NAME', 'name of this node, for people', parseText('a name', 64), {
    default: "the host's name",
  }),
  option('dataDir', 'DIR', 'directory of everything that this node keeps', parseDirectory, {
    default: '$XDG_STATE_HOME/fsched',
  }),
  option(
    'listen',
    'ADDRESS',
    'where the mesh listens: multiaddr or HOST:PORT; port 0 means any free port',
    (value) => parseListen(textOf(value)),
  ),
  option('rest', 'HOST:PORT', 'where REST listens; port 0 means any free port', (value) =>
    parseHostPort(textOf(value)),
  ),
  option('join', 'TARGET', 'member to join through: HOST:PORT or multiaddr; may be repeated', parseJoin, {
    repeats: true,
  }),
  option(
    'allowDial',
    'NETWORK',
    'network (CIDR) to dial in although no member should be there; may be repeated',
    parseNetworks,
    { repeats: true },
  ),
  option('tokenFile', 'FILE', 'file that holds the join token; a member needs none any more', parseFile, {
    default: 'DATA-DIR/join-token',
  }),
  option(
    'foundingTokenTtl',
    'TIME',
    "how long a new cluster's first join token lets nodes in, or none: until it is revoked",
    parseOrNone(parseDuration(1000, 10 * 365 * 86_400_000)),
    { default: '24h' },
  ),
  option(
    'apiTokenFile',
    'FILE',
    "file with this node's own API token, which may do what the node may",
    parseFile,
    { default: 'DATA-DIR/api-token' },
  ),
  option(
    'tlsCert',
    'FILE',
    'certificate (PEM, with its chain) for REST by https; read again at SIGHUP',
    parseFile,
  ),
  option('tlsKey', 'FILE', 'private key (PEM) of --tls-cert', parseFile),
  option(
    'allowedHost',
    'NAME',
    'name that REST is reached by, through a reverse proxy say; may be repeated',
    parseHostNames,
    { repeats: true },
  ),
  option(
    'rateLimit',
    'N',
    'requests a second of each token and each address, or none',
    parseOrNone(parseCount(1, 1_000_000)),
  ),
  option(
    'llc',
    'MODE',
    'how cache partitions are held: auto, resctrl, emulated or unenforced',
    parseChoice(['auto', 'resctrl', 'emulated', 'unenforced']),
  ),
  option(
    'llcGeometry',
    'WAYSxWAYSIZE',
    'cache of each domain (such as 12x1MiB) instead of what the machine says',
    parseLlcGeometry,
  ),
  option(
    'poolBandwidth',
    'PERCENT',
    'memory bandwidth of the shared pool, where the machine can allocate it, or none',
    parseOrNone(parsePercent),
    { default: 'none' },
  ),
  option('voters', 'N', 'how many members vote at most: 1, 3, 5 or 7', parseVoters),
  option('maxUploadBytes', 'SIZE', 'largest task file', parseSize(1, TIB)),
  option('queueLimit', 'N', 'longest queue of runs', parseCount(1, 1_000_000)),
  option(
    'timeLimitMs',
    'TIME',
    'time limit of a run that asks for none',
    parseDuration(1, MAX_TIME_LIMIT_MS),
  ),
  option('outputLimitBytes', 'SIZE', 'kept of each output stream of a run', parseSize(0, MAX_OUTPUT_BYTES)),
  option(
    'runAs',
    'USER',
    'one user for all programs; root only if it is said here',
    parseText('a user', 64),
    { default: "users of their own where the node runs as root, else the node's own user" },
  ),
  option(
    'runUids',
    'FIRST-LAST',
    'ids that runs get as users of their own, where the node runs as root',
    parseUidRange,
    { default: formatUidRange(DEFAULT_RUN_UIDS) },
  ),
  option(
    'sandbox',
    'MODE',
    'sandbox of programs (bubblewrap): auto (where it works), on or off',
    parseChoice(['auto', 'on', 'off']),
  ),
  option('sandboxNetwork', 'on|off', 'whether programs in the sandbox reach the network', parseSwitch, {
    default: 'off',
    bare: 'on',
  }),
  option(
    'memoryLimit',
    'SIZE',
    "memory of a run: a size, a share of the machine's such as 50%, or none",
    parseOrNone(parseMemory(MIN_MEMORY_BYTES, TIB)),
    { default: '80%' },
  ),
  option(
    'cpuLimit',
    'N',
    "CPUs' worth of time of a run, such as 1.5, or none; needs control groups",
    parseOrNone(parseAmount(0.01, 65_536)),
    { default: 'none' },
  ),
  option(
    'processLimit',
    'N',
    'processes and threads of a run, or none',
    parseOrNone(parseCount(1, 4_194_304)),
  ),
  option(
    'openFileLimit',
    'N',
    'files that each process of a run may have open, or none',
    parseOrNone(parseCount(16, 1_048_576)),
  ),
  option(
    'diskLimit',
    'SIZE',
    'what a run may keep on disk, or none',
    parseOrNone(parseSize(MIN_DISK_BYTES, TIB)),
  ),
  option(
    'fileLimit',
    'N',
    'files and directories that a run may keep, or none',
    parseOrNone(parseCount(16, 1_000_000_000)),
  ),
  option(
    'diskReserve',
    'SIZE',
    'kept free for the log of the node: a size, or a share of the disk such as 5%',
    parseReserve(MIN_RESERVE_BYTES, TIB, FIXED_DEFAULTS.diskReserve.bytes),
    { default: '5%, at least 64MiB' },
  ),
  option('workDir', 'DIR', 'where programs work as another user without a sandbox', parseDirectory, {
    default: 'a directory in /var/lib/fsched',
  }),
  option('heartbeatMs', 'TIME', 'between two heartbeats of the master', parseDuration(10, 60_000)),
  option(
    'electionTimeoutMs',
    'TIME',
    'shortest election timeout; the longest is twice that',
    parseDuration(50, 600_000),
  ),
  option(
    'logLevel',
    'LEVEL',
    'error, warn, info, debug or silent',
    parseChoice(['error', 'warn', 'info', 'debug', 'silent']),
  ),
];

/** Examines this machine: what a node with this configuration would find here. Changes nothing that stays. */
import type { NodeConfig } from '../config/config.ts';
import { detectResctrl } from '../llc/resctrl/detect.ts';
import type { Clock } from '../ports.ts';
import { resolveProgram } from '../worker/command.ts';
import { canMeasure } from '../worker/disk-usage.ts';
import { detectExecChain } from '../worker/exec-chain.ts';
import { checkHardening } from './check-hardening.ts';
import { checkCgroups, checkIsolation } from './check-isolation.ts';
import { checkDataDirectory, checkPorts, checkRoom } from './check-place.ts';
import { type Finding, finding } from './finding.ts';

const OLDEST_NODE = 20;

export async function examine(
  config: NodeConfig,
  searchPath: string,
  clock: Clock,
): Promise<readonly Finding[]> {
  const found = await Promise.all([
    checkNode(),
    checkTools(searchPath),
    checkCgroups(),
    checkIsolation(config, searchPath, clock),
    checkValgrind(searchPath),
    checkResctrl(config),
    checkDataDirectory(config.dataDir),
    checkRoom(config),
    checkFind(),
    checkPorts(config),
    checkHardening(config, clock),
  ]);
  return found.flat();
}

function checkNode(): Finding {
  const version = process.versions.node;
  return Number(version.split('.')[0]) >= OLDEST_NODE
    ? finding('node', 'ok', version)
    : finding('node', 'failed', `${version} is too old: install Node ${OLDEST_NODE} or newer`);
}

/** What each is for, where it isn't. */
const TOOLS = {
  taskset: 'programs are not pinned to the CPUs of their domain',
  setpriv: 'programs may gain privileges, and outlive a node that crashes',
  prlimit: 'limits are held by control groups only',
  flock: 'changes of resctrl are not locked against other programs',
} as const;

async function checkTools(searchPath: string): Promise<Finding[]> {
  const [chain, flock] = await Promise.all([
    detectExecChain(searchPath),
    resolveProgram('flock', searchPath, '/'),
  ]);
  const paths = { ...chain, flock: flock.ok ? flock.value : null };
  return (['taskset', 'setpriv', 'prlimit', 'flock'] as const).map((what) =>
    paths[what] === null
      ? finding(what, 'missing', `${TOOLS[what]}: install util-linux`)
      : finding(what, 'ok', paths[what]),
  );
}

async function checkFind(): Promise<Finding> {
  if (await canMeasure()) return finding('find', 'ok', 'counts what runs keep on disk');
  return finding('find', 'missing', 'what runs keep on disk is not limited: install findutils');
}

async function checkValgrind(searchPath: string): Promise<Finding> {
  const found = await resolveProgram('valgrind', searchPath, '/');
  if (found.ok) return finding('valgrind', 'ok', found.value);
  const message = 'profiles without cache partitions say nothing about cache: install valgrind';
  return finding('valgrind', 'missing', message);
}

async function checkResctrl({ llc }: NodeConfig): Promise<Finding> {
  const { kind, message } = await detectResctrl();
  if (kind === 'usable') return finding('resctrl', 'ok', message);
  return finding('resctrl', llc === 'resctrl' ? 'failed' : 'missing', message);
}

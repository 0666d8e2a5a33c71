/**
 * node --import tsx test/resctrl/main.ts [MOUNT POINT]   holds the resctrl of this machine to what the daemon expects
 *
 * As root. Works in groups of its own (`fsched-conformance-*`), takes the lock while it does, narrows the root group
 * for a moment if no other program has groups, and leaves everything as it was, also when it is interrupted.
 */
import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { detectResctrl } from '../../node/llc/resctrl/detect.ts';
import { DEFAULT_RESCTRL_ROOT, RealResctrl } from '../../node/llc/resctrl/real.ts';
import { GROUP_PREFIX, type Subject } from './bench.ts';
import { describeResctrl } from './conformance.ts';
import { spawnProcess } from './processes.ts';

const RMID_WAIT_MS = 1000;

async function openReal(root: string): Promise<Subject> {
  const fs = new RealResctrl({ root });
  return {
    fs,
    spawn: spawnProcess,
    waitForRmids: () => sleep(RMID_WAIT_MS),
    [Symbol.asyncDispose]: () => fs[Symbol.asyncDispose](),
  };
}

/** Puts everything back without waiting: the process is about to end. */
function restoreOnSignals(root: string): void {
  const schemata = readFileSync(`${root}/schemata`, 'utf8');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      for (const name of readdirSync(root)) if (name.startsWith(GROUP_PREFIX)) rmdirSync(`${root}/${name}`);
      if (readFileSync(`${root}/schemata`, 'utf8') !== schemata) writeFileSync(`${root}/schemata`, schemata);
      process.exit(130);
    });
  }
}

const wanted = process.argv[2] ?? DEFAULT_RESCTRL_ROOT;
const detection = await detectResctrl({ root: wanted });
if (detection.kind === 'usable') {
  restoreOnSignals(detection.root);
  describeResctrl(`resctrl on ${detection.root}`, () => openReal(detection.root));
} else {
  console.error(`The conformance suite can't run: ${detection.message}.`);
  process.exitCode = 1;
}

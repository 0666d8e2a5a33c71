/** Little programs that tests upload; Node runs them, because it is surely there. */
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { readEnvironment } from '../../node/procfs.ts';
import { eventually } from '../support/eventually.ts';

/** The command that runs them: the Node of the test. */
export const NODE = process.execPath;

/** Prints the sum of the squares below its input size. */
export const SQUARES = `
const n = Number(process.argv[2]);
let sum = 0;
for (let i = 0; i < n; i += 1) sum += i * i;
console.log(sum);
`;

/** Sleeps for INPUT_SIZE milliseconds, or until it is woken. */
export const SLEEPER = `
console.log('started');
let timer = setTimeout(done, Number(process.argv[2]));
process.on('SIGUSR2', done);
function done() {
  if (timer === null) return;
  clearTimeout(timer);
  timer = null;
  console.log('done');
}
`;

/** An input size of a sleeper that sleeps until it is woken, however slow the machine. */
export const UNTIL_WOKEN = 3_600_000;

/** Echoes what it was given. */
export const ECHO = `
let text = '';
process.stdin.on('data', (chunk) => { text += chunk; }).on('end', () => {
  console.log(JSON.stringify({ size: process.argv[2], stdin: text, variable: process.env.FSCHED_PARAMETERS ?? null }));
});
`;

/** Processes of a run that live. */
export function processesOf(runId: string): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => readEnvironment(pid)?.includes(`FSCHED_RUN_ID=${runId}\0`));
}

/** Wakes the sleepers of these runs, also those that are started again meanwhile, until `work` is done. */
export async function wakeUntil<T>(work: Promise<T>, runIds: readonly string[]): Promise<T> {
  let over = false;
  const end = work.finally(() => {
    over = true;
  });
  end.catch(() => {});
  await eventually(`the end of ${runIds.join(', ')}`, async () => {
    for (const pid of over ? [] : runIds.flatMap(processesOf)) if (canWake(pid)) process.kill(pid, 'SIGUSR2');
    return over;
  });
  return end;
}

/** Whether it catches SIGUSR2 already, which would end it otherwise (proc_pid_status(5)). */
function canWake(pid: number): boolean {
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return (BigInt(`0x${caught ?? '0'}`) & SIGUSR2) !== 0n;
  } catch {
    return false;
  }
}

const SIGUSR2 = 1n << BigInt(constants.signals.SIGUSR2 - 1);

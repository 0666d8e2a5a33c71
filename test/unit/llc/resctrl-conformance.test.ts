/** The conformance suite of test/resctrl on the emulator, as machines of several kinds. */
import type { EmulatorOptions } from '../../../node/llc/emulator/emulator.ts';
import { ProcProcesses } from '../../../node/llc/emulator/processes.ts';
import type { Subject } from '../../resctrl/bench.ts';
import { describeResctrl } from '../../resctrl/conformance.ts';
import { emulate, SimulatedProcesses } from '../../resctrl/paper-machine.ts';
import { spawnProcess } from '../../resctrl/processes.ts';

const KIB = 1024;
const twoSockets = [
  { id: 0, cpus: [0, 1] },
  { id: 1, cpus: [2, 3] },
];

const MACHINES: Record<string, EmulatorOptions> = {
  'an Intel machine': { machine: { domains: twoSockets, ways: 16, wayBytes: 1024 * KIB } },
  'an Intel machine with CDP': {
    machine: { domains: twoSockets, ways: 16, wayBytes: 1024 * KIB },
    cdp: true,
  },
  'a machine that shares ways with I/O and has bandwidth allocation': {
    machine: {
      domains: twoSockets,
      ways: 11,
      wayBytes: 2304 * KIB,
      shareableBits: 0x600,
      mba: { closids: 8, minBandwidth: 10, granularity: 10 },
    },
  },
  'a Haswell with two ways at least, few CLOSIDs and slow RMIDs': {
    machine: {
      domains: [{ id: 0, cpus: [0] }],
      ways: 20,
      wayBytes: 2560 * KIB,
      closids: 4,
      minCbmBits: 2,
      rmids: 8,
    },
    limboMs: Number.POSITIVE_INFINITY,
  },
  'an AMD machine with gaps in its ids': {
    machine: {
      vendor: 'amd',
      domains: [0, 1, 16, 23].map((id, cpu) => ({ id, cpus: [cpu] })),
      ways: 16,
      wayBytes: 1024 * KIB,
    },
  },
  'a machine without monitoring': {
    machine: { domains: twoSockets, ways: 12, wayBytes: 1024 * KIB, rmids: null, cdpCapable: false },
  },
};

async function openEmulator(options: EmulatorOptions): Promise<Subject> {
  const processes = new SimulatedProcesses();
  const fs = emulate(options, { processes });
  return {
    fs,
    async spawn() {
      const pid = processes.fork();
      const children: number[] = [];
      return {
        pid,
        async fork() {
          const child = processes.fork(pid);
          children.push(child);
          return child;
        },
        async end() {
          for (const tid of [pid, ...children]) processes.exit(tid);
        },
      };
    },
    waitForRmids: async () => fs.cleanLimbo(),
    [Symbol.asyncDispose]: () => fs[Symbol.asyncDispose](),
  };
}

for (const [name, options] of Object.entries(MACHINES)) describeResctrl(name, () => openEmulator(options));

/** As a whole node runs it: the machine is made up, the processes aren't. */
async function openWithRealProcesses(): Promise<Subject> {
  const options: EmulatorOptions = { machine: { domains: twoSockets, ways: 16, wayBytes: 1024 * KIB } };
  const fs = emulate(options, { processes: new ProcProcesses() });
  return {
    fs,
    spawn: spawnProcess,
    waitForRmids: async () => fs.cleanLimbo(),
    [Symbol.asyncDispose]: () => fs[Symbol.asyncDispose](),
  };
}

describeResctrl('an emulated machine with the processes of this one', openWithRealProcesses);

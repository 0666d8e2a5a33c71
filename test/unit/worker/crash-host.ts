/** Run by `crash.test.ts` and killed by it: a worker in the given directory with a program that outlives it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import { PLAIN } from '../../../node/worker/isolation/types.ts';
import { ProcessLauncher } from '../../../node/worker/process-launcher.ts';
import { Worker } from '../../../node/worker/worker.ts';
import { fail } from '../../../protocols/schema/outcome.ts';
import { dispatchOf } from '../../builders/nouns.ts';
import { silentLogger } from '../../support/silent-logger.ts';

/** The range of users of runs, if they are to have their own. */
const [, , directory = '', , range] = process.argv;
const source = join(directory, 'source');
await writeFile(source, 'setsid sh -c "trap \'\' TERM; echo \\$\\$; sleep 1000" & sleep 1000');
const topology = {
  domains: [{ id: 0, cpus: [], ways: 4, wayBytes: 1 }],
  source: 'assumed',
  cpuModel: '',
} as const;
const ports = { clock: systemClock, random: systemRandom, logger: silentLogger };
const worker = new Worker(
  {},
  {
    ...ports,
    topology,
    partitions: new UnenforcedPartitions({ reason: 'test' }, { topology }),
    launcher: new ProcessLauncher(
      {
        directory: join(directory, 'work'),
        searchPath: process.env.PATH ?? '',
        ...(range !== undefined && { isolation: { ...PLAIN, runAs: JSON.parse(range) } }),
      },
      ports,
    ),
    instrument: () => fail('It measures nothing.'),
    shortage: () => null,
    taskFile: async () => source,
    onChange: () => undefined,
    deliverStarted: () => undefined,
    deliverReport: async () => 'accepted',
  },
);
await worker.start();
const secrets = [{ name: 'SECRET', value: Uint8Array.of(1) }];
await worker.dispatch(dispatchOf({ runId: process.argv[3] as string, command: 'sh', secrets }));
const poll = setInterval(() => {
  const output = Buffer.from(worker.output(process.argv[3] as string, 1, 'stdout', 0)?.bytes ?? []);
  if (!output.includes('\n')) return;
  clearInterval(poll);
  process.stdout.write(`${output}`);
}, 5);

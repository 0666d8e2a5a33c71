/** Run by `latch.test.ts` and killed by it, while a program waits at the latch. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../../node/adapters.ts';
import { ProcessLauncher } from '../../../../node/worker/process-launcher.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const directory = process.argv[2] as string;
const filePath = join(directory, 'source');
await writeFile(filePath, `: > ${join(directory, 'mark')}`);
// Without util-linux nothing but the latch itself ends the shell.
const launcher = new ProcessLauncher(
  { directory: join(directory, 'work'), searchPath: '/nowhere' },
  { clock: systemClock, logger: silentLogger },
);
await launcher.start();
setInterval(() => undefined, 1000);
const user = await launcher.lendUser('latched', 1);
if (!user.ok) throw new Error(user.error);
await launcher.launch(
  {
    runId: 'latched',
    attempt: 1,
    user: user.value,
    taskId: 't',
    fileName: 'f',
    filePath,
    command: '/bin/sh',
    inputSize: 1,
    parameters: null,
    secrets: [],
    cpus: [],
    outputLimitBytes: 1000,
    enter: (pid) => {
      process.stdout.write(`${pid}\n`);
      return new Promise(() => undefined);
    },
  },
  new AbortController().signal,
);

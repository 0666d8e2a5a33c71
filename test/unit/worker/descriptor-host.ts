/** Run by `launch.test.ts` with descriptors that it must not pass on; prints what four programs at once have open. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLevelLogStore } from '../../../node/store/level-log-store.ts';
import { LaunchBench } from './launch-bench.ts';

await using bench = await LaunchBench.create();
// LevelDB opens its files without the mark, and new ones while the daemon runs.
const store = await mkdtemp(join(tmpdir(), 'fsched-descriptors-'));
const log = await openLevelLogStore({ directory: join(store, 'log') });
const source = `
  const fs = require('node:fs');
  const own = fs.readdirSync('/proc/self/fd').map(Number);
  const marked = (fd) => { try { return /^flags:.*2[0-7]{6}$/m.test(fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8')); } catch { return true; } };
  for (const fd of own) if (!marked(fd)) console.log(fs.readlinkSync('/proc/self/fd/' + fd));
  console.log('end');
`;
const reports = await Promise.all(Array.from({ length: 4 }, () => bench.run(source)));
console.log(JSON.stringify(reports.map((report) => report.stdout)));
await log.close();
await rm(store, { recursive: true });

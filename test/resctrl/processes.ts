/** Real processes that wait, and fork when they are told to. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { SubjectProcess } from './bench.ts';

/** Forks a child for each line that it reads, tells its pid, and takes its children along when it ends. */
const PROGRAM = `
children=
trap 'kill $children 2>/dev/null' EXIT
trap exit TERM
while read -r _; do
  sleep 1000 >/dev/null 2>&1 &
  children="$children $!"
  echo $!
done`;

export async function spawnProcess(): Promise<SubjectProcess> {
  const child = spawn('sh', ['-c', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  await new Promise((resolve, reject) => child.on('spawn', resolve).on('error', reject));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    async fork() {
      child.stdin.write('\n');
      return Number((await lines.next()).value);
    },
    async end() {
      child.stdin.end();
      child.kill('SIGTERM');
      await ended;
    },
  };
}

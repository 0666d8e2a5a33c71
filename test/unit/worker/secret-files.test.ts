/** Secrets on their last way: real programs read them, and nobody else. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../node/adapters.ts';
import { type IsolationOptions, UNLIMITED } from '../../../node/worker/isolation/types.ts';
import { ProcessLauncher } from '../../../node/worker/process-launcher.ts';
import { clearSecrets, placeSecrets, removeSecrets } from '../../../node/worker/secret-files.ts';
import { tagOf } from '../../../node/worker/work-directory.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { LaunchBench } from './launch-bench.ts';

const IS_ROOT = process.geteuid?.() === 0;
const NEEDS_ROOT = IS_ROOT ? false : 'only root can give runs users of their own';
const NO_SANDBOX =
  spawnSync('bwrap', [...(IS_ROOT ? [] : ['--unshare-user']), '--ro-bind', '/', '/', '/bin/true']).status ===
  0
    ? false
    : 'bubblewrap does not work here';
const HOST = fileURLToPath(new URL('./crash-host.ts', import.meta.url));

const range = () => {
  const first = 1_950_000_000 + randomInt(50_000_000);
  return { first, last: first + 3 };
};
const bench = (isolation: Partial<IsolationOptions>) =>
  LaunchBench.create({ isolation: { limits: UNLIMITED, ...isolation } });
/** The places in memory of a node's runs: of the one directory for them, or of the other. */
const memoryOf = ({ directory }: LaunchBench): string[] =>
  ['work', 'open'].map((name) => join('/dev/shm', `fsched-${tagOf(join(directory, name))}`));
const isThere = (paths: readonly string[], ...more: string[]): boolean =>
  paths.some((path) => existsSync(join(path, ...more)));

const VALUE = `hunter2-${randomBytes(8).toString('hex')}`;
const secrets = [
  { name: 'BINARY', value: Uint8Array.of(0, 255, 10) },
  { name: 'DB_PASSWORD', value: new TextEncoder().encode(VALUE) },
];

const LOOK = `import os
d = os.environ['FSCHED_SECRETS_DIR']
print(sorted(os.listdir(d)))
print(open(d + '/BINARY', 'rb').read())
print(open(d + '/DB_PASSWORD').read())
print([oct(os.stat(d + '/' + name).st_mode & 0o777) for name in sorted(os.listdir(d))])
print('in the environment', any(${JSON.stringify(VALUE)} in value for value in os.environ.values()))
print('in the work directory', os.path.realpath(d).startswith(os.getcwd()))`;
const SEEN = [
  "['BINARY', 'DB_PASSWORD']",
  "b'\\x00\\xff\\n'",
  VALUE,
  "['0o400', '0o400']",
  'in the environment False',
  'in the work directory False',
  '',
].join('\n');

describe('the secrets of a run', () => {
  for (const [where, isolation, skip] of [
    ["as the node's own user", {}, false],
    ['as a user of its own', { runAs: range() }, NEEDS_ROOT],
    ['in a sandbox', { sandbox: 'on' }, NO_SANDBOX],
    ['as a user of its own in a sandbox', { runAs: range(), sandbox: 'on' }, NEEDS_ROOT || NO_SANDBOX],
  ] as [string, Partial<IsolationOptions>, string | false][]) {
    test(`are files for the program, ${where}, and gone with it`, { skip }, async () => {
      await using worker = await bench(isolation);
      const report = await worker.run(LOOK, { command: '/usr/bin/python3', secrets });
      assert.equal(report.stdout, SEEN, `${report.error} ${report.stderr}`);
      assert.ok(isThere(memoryOf(worker)));
      assert.equal(isThere(memoryOf(worker), `${report.runId}-1`), false);
      const none = await worker.run('echo "<$FSCHED_SECRETS_DIR>"; ls /run/secrets', { command: 'sh' });
      assert.match(none.stdout, /^<>\n/);
    });
  }

  test('are gone also when the program can not be started, and at the end of the node', async () => {
    const worker = await bench({});
    const report = await worker.run('', { command: '/bin/no-such-program', secrets });
    assert.equal(report.state, 'failed');
    const files = await worker.run('', { command: 'true', secrets });
    assert.ok(isThere(memoryOf(worker)));
    assert.equal(isThere(memoryOf(worker), `${files.runId}-1`), false);
    await worker[Symbol.asyncDispose]();
    assert.equal(isThere(memoryOf(worker)), false);
  });

  test('can be neither read by a neighbour nor added to by the program', { skip: NEEDS_ROOT }, async () => {
    await using worker = await bench({ runAs: range() });
    const victim = await worker.start('', {
      command:
        'sh -c \'echo "$FSCHED_SECRETS_DIR"; echo > "$FSCHED_SECRETS_DIR/more"; mkfifo f; read x < f\'',
      secrets,
    });
    const directory = (await worker.written(victim, '\n')).trim();
    const spy = await worker.run(
      `cat ${directory}/*; cat ${directory}/DB_PASSWORD; ls ${directory}/..; echo`,
      {
        command: 'sh',
      },
    );
    assert.equal(spy.stdout, '\n');
    assert.equal(spy.stderr.match(/Permission denied/g)?.length, 3, spy.stderr);
    worker.worker.cancel(victim, 1);
    const report = await worker.reported(victim);
    assert.match(Buffer.from(report.result?.stderr.bytes ?? []).toString(), /more: Permission denied/);
    assert.equal(existsSync(directory), false);
  });

  test('that a crash left are removed by the next start', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-secrets-'));
    const memory = join('/dev/shm', `fsched-${tagOf(join(directory, 'work'))}`);
    const host = spawn(process.execPath, [HOST, directory, 'crashed'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(host.stdout, 'data');
      host.kill('SIGKILL');
      await once(host, 'exit');
      assert.ok(existsSync(join(memory, 'crashed-1', 'SECRET')));
      const launcher = new ProcessLauncher(
        { directory: join(directory, 'work'), searchPath: process.env.PATH ?? '' },
        { clock: systemClock, logger: silentLogger },
      );
      await launcher.start();
      assert.equal(existsSync(memory), false);
      await launcher.stop();
    } finally {
      host.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('do without memory where somebody else has its place', { skip: NEEDS_ROOT }, async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-secrets-'));
    const memory = join('/dev/shm', `fsched-${tagOf(root)}`);
    const run = join(root, 'run-1');
    spawnSync('setpriv', ['--reuid', '65534', '--clear-groups', 'mkdir', memory]);
    try {
      assert.equal(await placeSecrets(run, secrets, null), join(root, '.secrets', 'run-1'));
      await removeSecrets(run);
      assert.equal(existsSync(join(root, '.secrets', 'run-1')), false);
      await clearSecrets(root);
      assert.deepEqual([existsSync(join(root, '.secrets')), existsSync(memory)], [false, true]);
    } finally {
      await rm(memory, { recursive: true, force: true });
      await rm(root, { recursive: true, force: true });
    }
  });
});

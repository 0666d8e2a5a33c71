import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../../cli/bin/', import.meta.url));

/** Loaded before the launcher, it makes this Node look old; the launcher's child does not get it. */
const LOOK_OLD = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})`;

const PROGRAM = `
if (process.argv[2] === 'wait') {
  let count = 0;
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
    count++;
    setTimeout(() => { console.log(signal, count); process.exit(5); }, 200);
  });
  setInterval(() => {}, 1000);
}
// Said last: who reads it may send signals from then on.
console.log(JSON.stringify({ version: process.versions.node, args: process.argv.slice(2) }));
if (process.argv[2] === 'exit') process.exit(Number(process.argv[3]));
if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL');`;

/** An installed package: `folder`/node_modules/fsched, with or without the Node that it carries. */
class Installed implements AsyncDisposable {
  readonly #folder: string;
  private constructor(folder: string) {
    this.#folder = folder;
  }
  static async create(carried: 'nested' | 'hoisted' | 'none', version = '24.1.0'): Promise<Installed> {
    const folder = await mkdtemp(join(tmpdir(), 'fsched-launcher-'));
    const own = join(folder, 'node_modules', 'fsched');
    for (const name of ['fsched.mjs', 'launch.mjs', 'with-launcher.mjs'])
      await cp(join(bin, name), join(own, 'cli', 'bin', name));
    await mkdir(join(own, 'dist'));
    await writeFile(join(own, 'package.json'), '{"type": "module"}');
    await writeFile(join(own, 'dist', 'fsched.js'), PROGRAM);
    if (carried !== 'none') {
      const node = join(carried === 'nested' ? own : folder, 'node_modules', 'node');
      await mkdir(join(node, 'bin'), { recursive: true });
      await writeFile(join(node, 'package.json'), JSON.stringify({ version }));
      await symlink(process.execPath, join(node, 'bin', 'node'));
    }
    return new Installed(folder);
  }
  get launcher(): string {
    return join(this.#folder, 'node_modules', 'fsched', 'cli', 'bin', 'fsched.mjs');
  }
  spawn(args: readonly string[], old = true) {
    return spawn(process.execPath, [...(old ? ['--import', LOOK_OLD] : []), this.launcher, ...args]);
  }
  async run(args: readonly string[], old = true) {
    const child = this.spawn(args, old);
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    return { stdout, stderr, code, signal };
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}

describe('launcher', () => {
  for (const carried of ['nested', 'hoisted'] as const) {
    test(`started by an old Node, runs the program with the ${carried} one that the package carries`, async () => {
      await using installed = await Installed.create(carried);
      const { stdout, code } = await installed.run(['exit', '7', 'a b']);
      assert.deepEqual(JSON.parse(stdout), { version: process.versions.node, args: ['exit', '7', 'a b'] });
      assert.equal(code, 7);
    });
  }

  test('runs the program itself when its Node is new enough', async () => {
    await using installed = await Installed.create('none');
    const { stdout, code } = await installed.run(['exit', '3'], false);
    assert.deepEqual(JSON.parse(stdout).args, ['exit', '3']);
    assert.equal(code, 3);
  });

  for (const [carried, version] of [
    ['none', ''],
    ['nested', '18.0.0'],
  ] as const) {
    test(`says in one sentence what to do without a new Node (carried: ${carried} ${version})`, async () => {
      await using installed = await Installed.create(carried, version);
      const { stdout, stderr, code } = await installed.run([]);
      assert.equal(stdout, '');
      assert.match(
        stderr,
        /^fsched: this is Node 20\.1\.0, Node 24 or newer is needed.*install Node 24.*\.\n$/,
      );
      assert.equal(code, 70);
    });
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`passes ${signal} on exactly once and ends as the program ends`, async () => {
      await using installed = await Installed.create('nested');
      const child = installed.spawn(['wait']);
      const [first] = (await once(child.stdout, 'data')) as [Buffer];
      assert.match(first.toString(), /"wait"/);
      const rest = text(child.stdout);
      child.kill(signal);
      const [code] = await once(child, 'exit');
      assert.equal(await rest, `${signal} 1\n`);
      assert.equal(code, 5);
    });
  }

  test('takes its program with it when it is killed', async () => {
    await using installed = await Installed.create('nested');
    const child = installed.spawn(['wait']);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    // The program holds the pipe as well: it ends when both are gone.
    assert.equal(await text(child.stdout), '');
  });

  test('dies of the signal that its program died of', async () => {
    await using installed = await Installed.create('nested');
    const { signal } = await installed.run(['die']);
    assert.equal(signal, 'SIGKILL');
  });
});

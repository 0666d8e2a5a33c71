/** Commands that name programs by their path: root would find, and show, what is closed to programs. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ANYBODY, reach } from '../../../../node/worker/isolation/reach.ts';
import type { IsolationOptions } from '../../../../node/worker/isolation/types.ts';
import { LaunchBench } from '../launch-bench.ts';
import { NEEDS_ROOT, NO_SANDBOX, rangeOf } from './machine.ts';

/** An installation with a file of settings that all could read if they came there, in a directory of this mode. */
async function install(mode: number) {
  const root = await mkdtemp('/var/tmp/fsched-closed-');
  const app = join(root, 'home/app');
  await mkdir(join(app, 'bin'), { recursive: true });
  await copyFile('/bin/sh', join(app, 'bin/tool'));
  await writeFile(join(app, '.env'), 'PASSWORD=secret');
  await writeFile(join(app, 'bin/plain'), '', { mode: 0o644 });
  await symlink(join(app, 'bin/tool'), join(root, 'link'));
  await symlink(app, join(root, 'way'));
  await chmod(root, 0o755);
  await chmod(join(root, 'home'), mode);
  return { root, app, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
}

const settings: [string, Partial<IsolationOptions>, string | false][] = [
  ['a sandbox and a user of its own', { runAs: rangeOf(2), sandbox: 'on' }, NEEDS_ROOT || NO_SANDBOX],
  ['a sandbox and the user of the node', { sandbox: 'on' }, NO_SANDBOX],
  ['a user of its own', { runAs: rangeOf(2) }, NEEDS_ROOT],
];

for (const [name, isolation, skip] of settings) {
  describe(`a program named by its path, with ${name}`, { skip }, () => {
    test('is not started and not told from one that is not there, where its directory is closed', async () => {
      await using places = await install(0o750);
      await using worker = await LaunchBench.create({ isolation });
      const { root, app } = places;
      const attempts = [
        join(app, 'bin/tool'),
        join(app, 'bin/plain'),
        join(app, 'bin/missing'),
        join(root, 'link'),
        join(root, 'way/bin/tool'),
        `/proc/self/root${root}/link`,
        `../../../../../../..${app}/bin/tool`,
      ];
      for (const program of attempts) {
        const report = await worker.run(`cat ${app}/.env`, { command: program });
        assert.equal(report.stdout, '', program);
        const sentence = `the program "${program}" does not exist, or lies where programs may not look; install it on every node, or give another command`;
        assert.equal(report.error, sentence);
      }
    });

    test('is started where everybody may go', async () => {
      await using places = await install(0o711);
      await using worker = await LaunchBench.create({ isolation });
      for (const program of ['home/app/bin/tool', 'link', 'way/bin/tool']) {
        const report = await worker.run('echo runs', { command: join(places.root, program) });
        assert.equal(report.stdout, 'runs\n', `${program}: ${report.error ?? report.stderr}`);
      }
      const plain = await worker.run('', { command: join(places.app, 'bin/plain') });
      assert.match(plain.error ?? '', /not executable/);
    });
  });
}

test('a program on the PATH of the node is started wherever it lies', {
  skip: NEEDS_ROOT || NO_SANDBOX,
}, async () => {
  await using places = await install(0o700);
  const bin = join(places.app, 'bin');
  const searchPath = `${bin}:/usr/bin:/bin`;
  await using worker = await LaunchBench.create({
    isolation: { runAs: rangeOf(2), sandbox: 'on' },
    searchPath,
  });
  for (const command of ['tool', join(bin, 'tool')]) {
    const report = await worker.run('echo runs', { command });
    assert.equal(report.stdout, 'runs\n', report.error ?? report.stderr);
  }
});

test('what the node hides is no program, even where everybody may go', {
  skip: NO_SANDBOX,
}, async () => {
  await using places = await install(0o711);
  await using worker = await LaunchBench.create({ isolation: { sandbox: 'on' }, hidden: [places.app] });
  const report = await worker.run('echo runs', { command: join(places.app, 'bin/tool') });
  assert.match(report.error ?? '', /does not exist, or lies/);
});

test('a user reaches what its own class of rights lets it reach', async () => {
  await using places = await install(0o705);
  const tool = join(places.app, 'bin/tool');
  const [uid = 0, gid = 0] = [process.geteuid?.(), process.getegid?.()];
  assert.equal(reach(tool, ANYBODY), tool);
  assert.equal(reach(tool, { uid: uid + 1, gid }), null, 'the group is kept out');
  await chmod(join(places.root, 'home'), 0o710);
  assert.equal(reach(tool, ANYBODY), null);
  assert.equal(reach(tool, { uid: uid + 1, gid }), tool);
  await chmod(join(places.root, 'home'), 0o700);
  assert.equal(reach(tool, { uid, gid: gid + 1 }), tool);
});

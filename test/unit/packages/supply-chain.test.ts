/** What comes in with the packages: whose scripts run at an install, and what is told of what is shipped. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, describe, test } from 'node:test';

const root = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'fsched-packages-'));
after(() => rmSync(folder, { recursive: true }));

interface LockEntry {
  readonly name?: string;
  readonly version: string;
  readonly dev?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}
const readJson = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8'));
const locked: readonly (readonly [name: string, entry: LockEntry])[] = Object.entries<LockEntry>(
  readJson('package-lock.json').packages,
)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => [entry.name ?? path.split('node_modules/').at(-1) ?? '', entry]);
const manifest: {
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
} = readJson('package.json');

describe('scripts of packages', () => {
  test('a package that brings one is on the list, with a yes or a no that somebody decided', () => {
    const scripted = locked.filter(([, entry]) => entry.hasInstallScript).map(([name]) => name);
    assert.deepEqual([...new Set(scripted)].sort(), Object.keys(manifest.allowScripts).sort());
  });

  test('every package is pinned by what its content is', () => {
    assert.deepEqual(
      locked.filter(([, entry]) => entry.integrity === undefined).map(([name]) => name),
      [],
    );
  });

  test('an install runs those of the list only, whatever npm does by itself', () => {
    const clone = join(folder, 'clone');
    const tools = join(folder, 'tools');
    for (const each of [clone, tools]) mkdirSync(each);
    cpSync(join(root, 'cli/bin'), join(clone, 'cli/bin'), { recursive: true });
    for (const name of ['package.json', 'package-lock.json']) cpSync(join(root, name), join(clone, name));
    const log = join(folder, 'log');
    writeFileSync(
      join(tools, 'npm'),
      `#!/bin/sh\necho "$@" >> ${log}\ncase "$*" in *tfjs-node*) exit 1;; esac\n`,
      {
        mode: 0o755,
      },
    );
    const env = { PATH: `${tools}${delimiter}${process.env.PATH}`, HOME: folder };
    execFileSync(process.execPath, [join(clone, 'cli/bin/dev.mjs'), '--install-only'], {
      env,
      stdio: 'pipe',
    });
    const commands = readFileSync(log, 'utf8').trim().split('\n');
    assert.match(commands[0] ?? '', /^ci --ignore-scripts /);
    const rebuilt = commands.slice(1).flatMap((line) => {
      assert.match(line, /^rebuild /);
      return line
        .split(' ')
        .slice(1)
        .filter((word) => !word.startsWith('--'));
    });
    const { allowScripts } = manifest;
    assert.deepEqual(
      rebuilt.sort(),
      Object.keys(allowScripts)
        .filter((name) => allowScripts[name])
        .sort(),
    );
  });
});

const hasSbom = spawnSync('npm', ['sbom', '--help']).status === 0;

test('the bill of materials tells all that is shipped, and nothing else', {
  skip: hasSbom ? false : 'this npm has no sbom',
}, () => {
  const file = join(folder, 'sbom.json');
  execFileSync(process.execPath, [join(root, 'cli/bin/sbom.mjs'), file], { stdio: 'pipe' });
  const bill = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(bill.bomFormat, 'CycloneDX');
  assert.match(bill.specVersion, /^1\.[5-9]$/);
  assert.equal(bill.metadata.component.name, 'fsched');
  const told = bill.components.map(({ purl }: { readonly purl: string }) =>
    decodeURIComponent(purl.replace('pkg:npm/', '').replace(/[?#].*$/, '')),
  );
  const shipped = locked.filter(([, entry]) => !entry.dev).map(([name, { version }]) => `${name}@${version}`);
  assert.deepEqual(told.sort(), [...new Set(shipped)].sort());
  const refs = new Set([bill.metadata.component, ...bill.components].map((each) => each['bom-ref']));
  for (const { ref, dependsOn } of bill.dependencies)
    for (const each of [ref, ...dependsOn]) assert.ok(refs.has(each), each);
  for (const component of bill.components) assert.ok(component.hashes?.length > 0, component.purl);
});

/**
 * Writes the bill of materials of what is shipped, in CycloneDX (https://cyclonedx.org):
 *
 *     node cli/bin/sbom.mjs [FILE]        sbom.cdx.json in the root of the clone by default
 *
 * `npm sbom` makes it of the lock file. Its own `--omit=dev` also leaves out what a development package and the program
 * both need, so what is development only is taken out here.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { packageRoot } from './launch.mjs';

const readJson = (name) => JSON.parse(readFileSync(join(packageRoot, name), 'utf8'));

const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
const { status, stdout, stderr, error } = spawnSync('npm', args, {
  cwd: packageRoot,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
});
if (status !== 0) {
  process.stderr.write(
    `fsched: npm ${args.join(' ')} failed: ${error === undefined ? stderr : error.message}\n`,
  );
  process.exit(1);
}

const { name } = readJson('package.json');
const shipped = new Set(
  Object.entries(readJson('package-lock.json').packages)
    .filter(([path, entry]) => path !== '' && entry.dev !== true)
    .map(([path, entry]) => `${entry.name || path.split('node_modules/').pop()}@${entry.version}`),
);
const bill = JSON.parse(stdout);
// npm takes the name of the directory.
bill.metadata.component.name = name;
bill.components = bill.components.filter((component) => shipped.has(idOf(component)));
const kept = new Set([bill.metadata.component['bom-ref'], ...bill.components.map((each) => each['bom-ref'])]);
bill.dependencies = bill.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map((each) => ({ ...each, dependsOn: each.dependsOn.filter((ref) => kept.has(ref)) }));

/** As the package URL has it: an alias goes by what it stands for. */
function idOf({ purl }) {
  return decodeURIComponent(purl.replace(/^pkg:npm\//, '').replace(/[?#].*$/, ''));
}

const file = resolve(process.argv[2] || join(packageRoot, 'sbom.cdx.json'));
writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
process.stderr.write(`fsched: ${bill.components.length} packages are in ${file}\n`);

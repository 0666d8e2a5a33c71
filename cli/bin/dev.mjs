/**
 * Makes a clone ready and runs `fsched` from it:
 *
 *     node cli/bin/dev.mjs COMMAND…         installs and builds where needed, and runs the command
 *     node cli/bin/dev.mjs --prepare        only installs and builds where needed
 *     node cli/bin/dev.mjs --install-only   only installs where needed
 *     node cli/bin/dev.mjs --build-only     installs where needed, and builds in any case
 *
 * Plain JavaScript without dependencies, because it is what installs them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle, findCarriedNode, launch, packageRoot } from './launch.mjs';

const say = (sentence) => process.stderr.write(`fsched: ${sentence}\n`);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Runs one step; its chatter goes to standard error, because standard output belongs to the command. */
function step(what, file, args, mayFail = false) {
  say(what);
  // A Ctrl-C ends the step by itself and then us: without listeners of our own nothing is left behind.
  const { status, signal, error } = spawnSync(file, args, { cwd: packageRoot, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  if (mayFail && signal === null) return say('going on without it.');
  if (signal === 'SIGINT') process.exit(130);
  const why = error === undefined ? `it ended with ${signal === null ? status : signal}` : error.message;
  say(`${[file, ...args].join(' ')} failed: ${why}.`);
  process.exit(1);
}

/** One at a time: three terminals may well start three nodes of a fresh clone at once. Kept until `release`. */
function lock() {
  const path = join(packageRoot, 'dist', 'dev-lock.tmp');
  mkdirSync(dirname(path), { recursive: true });
  const release = () => rmSync(path, { force: true });
  for (let isWaiting = false; ; isWaiting = true) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      process.once('exit', release);
      return release;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isHeld(path)) rmSync(path, { force: true });
    else if (!isWaiting) say('waiting for another process that installs or builds here …');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

/** Whether the process that took the lock still lives; one that was killed left it behind. */
function isHeld(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    // Empty: taken, and its number not written yet.
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** What differs between the lock file and what npm last installed; null when nothing does. */
function missingInstall() {
  const installedPath = join(packageRoot, 'node_modules', '.package-lock.json');
  if (!existsSync(installedPath)) return 'nothing is installed yet';
  const wanted = readJson(join(packageRoot, 'package-lock.json')).packages;
  const installed = readJson(installedPath).packages;
  for (const [path, { version, optional, devOptional }] of Object.entries(wanted)) {
    if (path === '') continue;
    const there = installed[path];
    if (there === undefined) {
      if (!optional && !devOptional) return `${path} is missing`;
    } else if (there.version !== version) {
      return `${path} is ${there.version}, not ${version}`;
    }
  }
  return findCarriedNode(packageRoot) === null ? 'Node 24 is missing' : null;
}

function install() {
  const reason = missingInstall();
  if (reason === null) return;
  // Under `npm start` these two name the npm that runs us and its Node, whatever PATH says.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const hasBoth = npm !== undefined && node !== undefined && existsSync(npm) && existsSync(node);
  const run = (what, args, mayFail = false) => {
    const quiet = [...args, '--no-audit', '--no-fund', '--loglevel=error'];
    if (hasBoth) step(what, node, [npm, ...quiet], mayFail);
    else step(what, 'npm', quiet, mayFail);
  };
  // A script of a package runs with all rights of who installs it: none does but those that were looked at. Newer
  // versions of npm read the same list, older ones run every script.
  const { allowScripts, optionalDependencies } = readJson(join(packageRoot, 'package.json'));
  const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name]);
  const isOptional = (name) => name in optionalDependencies;
  run(`installing the dependencies with npm (${reason}) …`, ['ci', '--ignore-scripts']);
  run('building the packages that need it …', ['rebuild', ...allowed.filter((name) => !isOptional(name))]);
  for (const name of allowed.filter(isOptional))
    run(`building ${name}, which may fail …`, ['rebuild', name], true);
}

/** Milliseconds since the epoch of the newest change to anything that ends up in the bundle. */
function newestSource() {
  const rooms = ['cli', 'node', 'protocols', 'predictor'].map((room) => join(packageRoot, room));
  const files = rooms.flatMap((room) =>
    readdirSync(room, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath || entry.path, entry.name)),
  );
  files.push(join(packageRoot, 'package.json'), join(packageRoot, 'node_modules', '.package-lock.json'));
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

function buildBundle(always) {
  if (!always && existsSync(bundle) && statSync(bundle).mtimeMs >= newestSource()) return;
  step('building dist/ …', findCarriedNode(packageRoot), [join(packageRoot, 'cli', 'bin', 'build.mjs')]);
}

const [first, ...rest] = process.argv.slice(2);
const release = lock();
install();
if (first !== '--install-only') buildBundle(first === '--build-only');
release();
if (!['--install-only', '--prepare', '--build-only'].includes(first)) {
  launch(first === undefined ? [] : [first, ...rest]);
}

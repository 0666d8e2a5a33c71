/**
 * Starts the bundle with a Node that is new enough. Parsed by whatever Node the machine has, so it keeps to
 * what Node 12.20 understands: no optional chaining, no `??`, no top-level await.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The oldest major version of Node that runs the bundle; the npm package `node` of the same major is a dependency. */
const NEEDED_MAJOR = 24;

/** Signals that end a program politely and are therefore passed on. */
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

const here = dirname(fileURLToPath(import.meta.url));
export const packageRoot = dirname(dirname(here));
export const bundle = join(packageRoot, 'dist', 'fsched.js');
/** Run only by the carried Node. */
const withLauncher = join(here, 'with-launcher.mjs');

const major = (version) => Number(String(version).split('.')[0]);

/** Path of the Node that came with the package (nested or hoisted), or null. */
export function findCarriedNode(from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', 'node');
    const binary = join(candidate, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (existsSync(binary)) {
      const manifest = JSON.parse(readFileSync(join(candidate, 'package.json'), 'utf8'));
      if (major(manifest.version) >= NEEDED_MAJOR) return binary;
    }
    if (folder === dirname(folder)) return null;
  }
}

function complain(sentence) {
  process.stderr.write(`fsched: ${sentence}\n`);
  process.exitCode = 70;
}

/**
 * Runs a command to its end as if it stood in this process's place: same terminal, signals passed on, and it
 * ends as the command ended. A Ctrl-C in a terminal reaches the command twice (the terminal tells the whole
 * process group, and so do we, because a `kill` would reach only us); `cli/signals.ts` counts the two as one.
 */
export function standInFor(file, args, options) {
  const child = spawn(file, args, Object.assign({ stdio: 'inherit' }, options));
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => complain(`cannot start ${file}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exit(code);
    } else {
      for (const passed of PASSED_ON) process.removeAllListeners(passed);
      process.kill(process.pid, signal);
      // A signal that this process cannot die of (SIGQUIT ignored, say) is told as a shell would.
      setTimeout(() => process.exit(128 + (constants.signals[signal] || 0)), 100);
    }
  });
}

/**
 * Runs the bundle with `args`: in this process when its Node is new enough, else with the one that the package carries.
 */
export function launch(args) {
  if (!existsSync(bundle)) {
    complain(`${bundle} is missing; in a clone run "npm run build", elsewhere install the package again.`);
    return;
  }
  if (major(process.versions.node) >= NEEDED_MAJOR) {
    process.argv = [process.execPath, bundle].concat(args);
    import(pathToFileURL(bundle).href).catch((error) => {
      process.exitCode = 70;
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    });
    return;
  }
  const node = findCarriedNode(here);
  if (node === null) {
    complain(
      `this is Node ${process.versions.node}, Node ${NEEDED_MAJOR} or newer is needed, and the one that the ` +
        'package carries is not there; install Node 24, or let npm run the install script of the package "node".',
    );
    return;
  }
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  standInFor(node, ['--import', withLauncher, bundle].concat(args), { stdio });
}

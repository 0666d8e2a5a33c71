/**
 * The sandbox: bubblewrap shows a program the system read-only, its own directory, and nothing else of the machine: own
 * processes, no network, no way to namespaces of its own. Whatever it may write is its directory, also by the names
 * /tmp, /var/tmp and /dev/shm, so that it counts as what it keeps on disk: a file system in memory would count as
 * nothing where no control group holds the memory. Where the daemon is root it builds the sandbox with its rights, so that
 * directories closed to the run's user can be shown, and the user changes inside; else in a user namespace.
 */
import { accessSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, resolve } from 'node:path';
import { orNull } from '../../or-null.ts';
import { installationOf, isInside, isSystemPath, type PrivatePlaces } from './installation.ts';
import { ANYBODY, parentsOf, reach } from './reach.ts';
import { FILTER_DESCRIPTOR } from './seccomp/filter.ts';
import type { FilterFile } from './seccomp/filter-file.ts';

export interface SandboxOptions {
  /** Path of `bwrap`. */
  readonly program: string;
  readonly network: boolean;
  /** What its system calls go through; null where that doesn't work. */
  readonly filter: FilterFile | null;
  /** Whether this bubblewrap can forbid user namespaces. */
  readonly disablesUserNamespaces: boolean;
  /** Whether the daemon is root: no user namespace. */
  readonly privileged: boolean;
  /** Whether programs stay root, told so: they keep no capability. */
  readonly dropCapabilities: boolean;
  readonly searchPath: string;
  /** What no program may see. */
  readonly hidden: readonly string[];
}

/** Where programs write by habit. */
const SCRATCH = ['/tmp', '/var/tmp', '/dev/shm'];
const ROOT_DIRECTORIES = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** What programs read of /etc to start, to know names, time and certificates; no secrets are among them. */
const SETTINGS = [
  'alternatives',
  'ca-certificates',
  'crypto-policies',
  'group',
  'hosts',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'passwd',
  'pki',
  'protocols',
  'services',
  'ssl',
  'timezone',
].map((name) => `/etc/${name}`);

/** Where programs find their secrets. */
export const SHOWN_SECRETS = '/run/secrets';

export class Sandbox {
  readonly #program: string;
  readonly #base: readonly string[];
  readonly #filter: FilterFile | null;
  readonly #shown: readonly string[];
  /** Directories in which programs are looked for: what lies in them is meant to be run. */
  readonly #programs: ReadonlySet<string>;
  readonly #places: PrivatePlaces;

  constructor(options: SandboxOptions) {
    this.#program = options.program;
    this.#filter = options.filter;
    this.#places = { homes: findHomes(), hidden: options.hidden };
    const entries = options.searchPath.split(delimiter).filter(isAbsolute);
    this.#programs = new Set(entries.map((entry) => resolve(entry)));
    this.#shown = findInstallations(entries, this.#places);
    this.#base = [...namespaces(options), ...system(options.network), ...this.#shown.flatMap(showReadOnly)];
  }

  /** What is to be its descriptor FILTER_DESCRIPTOR; null: nothing. */
  openFilter(): number | null {
    return this.#filter?.open() ?? null;
  }

  get filters(): boolean {
    return this.#filter !== null;
  }

  close(): void {
    this.#filter?.close();
  }

  /**
   * The words before a program that may write in `directory`, where it works, and may read that of its `secrets`. Reads
   * the file system.
   */
  wrap(directory: string, program: string, secrets: string | null): readonly string[] {
    const { options, shown } = this.#showProgram(program, directory);
    // Not where something is shown: to make its name there would be to make it in the directory.
    const scratch = SCRATCH.filter((place) => ![directory, ...shown].some((path) => isInside(path, place)));
    return [
      this.#program,
      ...this.#base,
      ...options,
      ...(secrets === null ? [] : ['--ro-bind', secrets, SHOWN_SECRETS]),
      ...scratch.flatMap((place) => ['--bind', directory, place]),
      // Parents that bubblewrap makes by itself would be closed to other users.
      ...makeParents(directory),
      ...['--bind', directory, directory, '--chdir', directory],
      // What bubblewrap put its own directories and devices on is memory.
      ...['--remount-ro', '/dev', '--remount-ro', '/', '--'],
    ];
  }

  /**
   * Whether a command that works in `directory` may name this program by its absolute path: a tenant chooses it, so
   * that nothing may be shown for it that isn't open to everybody on the machine. What lies where the node looks for
   * programs is the operator's choice. Reads the file system.
   */
  allows(program: string, directory: string): boolean {
    if (isInside(program, directory) || this.#programs.has(dirname(program))) return true;
    const { hidden } = this.#places;
    const isOpen = (path: string) =>
      this.#shown.some((place) => isInside(path, place)) ||
      (!hidden.some((place) => isInside(path, place)) && reach(path, ANYBODY) !== null);
    return isOpen(program) && isOpen(resolveLinks(program));
  }

  /** A program that is named by its path, or found in a directory whose installation could not be shown. */
  #showProgram(program: string, directory: string): { readonly options: string[]; readonly shown: string[] } {
    const shown = [...this.#shown];
    const options: string[] = [];
    if (isInside(program, directory)) return { options, shown };
    const real = resolveLinks(program);
    for (const path of new Set([real, program])) {
      if (isSystemPath(path) || shown.some((place) => isInside(path, place))) continue;
      const places = installationOf(resolveLinks(dirname(path)), this.#places).filter(
        (place) => isInside(path, place) && exists(place),
      );
      if (places.length > 0) {
        shown.push(...places);
        options.push(...places.flatMap(showReadOnly));
        continue;
      }
      shown.push(path);
      options.push(...(path === real ? showReadOnly(path) : [...makeParents(path), '--symlink', real, path]));
    }
    return { options, shown };
  }
}

function namespaces(options: SandboxOptions): string[] {
  const { network, privileged, dropCapabilities, filter, disablesUserNamespaces } = options;
  return [
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(network ? [] : ['--unshare-net']),
    ...(privileged ? [] : ['--unshare-user']),
    ...(!privileged && disablesUserNamespaces ? ['--disable-userns'] : []),
    ...(filter === null ? [] : ['--seccomp', String(FILTER_DESCRIPTOR)]),
    ...(dropCapabilities ? ['--cap-drop', 'ALL'] : []),
    ...['--die-with-parent', '--new-session'],
  ];
}

function system(network: boolean): string[] {
  return [
    ...['--ro-bind', '/usr', '/usr'],
    ...ROOT_DIRECTORIES.flatMap(showRootDirectory),
    ...[...SETTINGS, ...findJavaSettings(), ...(network ? ['/etc/resolv.conf'] : [])].flatMap(showReadOnly),
    ...['/nix/store', '/gnu/store'].filter(exists).flatMap(showReadOnly),
    ...['--proc', '/proc', '--dev', '/dev', '--dir', '/run', '--dir', '/var'],
    ...['/tmp', '/var/tmp'].flatMap((place) => ['--perms', '1777', '--dir', place]),
  ];
}

/** Debian keeps what java reads at its start in /etc/java-17-openjdk and the like. */
function findJavaSettings(): string[] {
  const names = orNull(() => readdirSync('/etc')) ?? [];
  return names.filter((name) => /^java(-|$)/.test(name)).map((name) => `/etc/${name}`);
}

/** Most are links into /usr by now. */
function showRootDirectory(path: string): string[] {
  const found = orNull(() => lstatSync(path));
  if (found === null) return [];
  return found.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

function showReadOnly(path: string): string[] {
  return [...makeParents(path), '--ro-bind-try', path, path];
}

function makeParents(path: string): string[] {
  return parentsOf(path).flatMap((parent) => (parent === '/' ? [] : ['--dir', parent]));
}

/** Of all directories where programs are looked for, so that a script finds the interpreters that the node would. */
function findInstallations(entries: readonly string[], places: PrivatePlaces): string[] {
  const found = new Set<string>();
  for (const entry of entries) {
    if (!exists(entry)) continue;
    for (const place of installationOf(resolveLinks(entry), places)) if (exists(place)) found.add(place);
  }
  return [...found].filter((place) => ![...found].some((other) => other !== place && isInside(place, other)));
}

function findHomes(): string[] {
  // Without the table of users, one's own is what matters most.
  const users = orNull(() => readFileSync('/etc/passwd', 'utf8')) ?? '';
  const homes = users.split('\n').flatMap((line) => line.split(':')[5] ?? []);
  const own = (home: string) => home.startsWith('/') && dirname(home) !== home && !isSystemPath(home);
  return [...new Set([homedir(), ...homes.filter(own)])];
}

function resolveLinks(path: string): string {
  return orNull(() => realpathSync(path)) ?? path;
}

/** False also where this user may not look: what can't be read can't be shown. */
function exists(path: string): boolean {
  return orNull(() => accessSync(path)) !== null;
}

/**
 * Control groups (v2) of runs: limits that hold for all processes of a run together, and a way to kill them all.
 * The daemon makes them below its own group where that was delegated to it, or is the root; cgroup-v2.rst,
 * "Delegation" and "No Internal Process Constraint". A group may be made of files on a ram disk in tests.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import { orNull } from '../../or-null.ts';
import type { Clock } from '../../ports.ts';
import { RunCgroup } from './run-cgroup.ts';
import type { RunLimits } from './types.ts';

export interface CgroupOptions {
  /** Tells the groups of one daemon from those of another in the same group; the same after a restart. */
  readonly tag: string;
  /** Controllers that there must be. @default memory and pids */
  readonly required?: readonly string[];
  /** Directory of this process's own group. @default what the kernel says */
  readonly own?: string;
}

/** Without these two a group limits nothing that prlimit doesn't. */
const REQUIRED = ['memory', 'pids'];
/** Limits of time, and counts of what is written. */
const OPTIONAL = ['cpu', 'io'];

export class CgroupTree {
  readonly #own: string;
  readonly #runs: string;
  readonly #leaf: string;
  readonly #controllers: readonly string[];
  readonly #clock: Clock;

  private constructor(own: string, tag: string, controllers: readonly string[], clock: Clock) {
    this.#own = own;
    this.#runs = join(own, `fsched-${tag}.runs`);
    this.#leaf = join(own, `fsched-${tag}.node`);
    this.#controllers = controllers;
    this.#clock = clock;
  }

  /** The failure says why there are none. Groups that an earlier start of the daemon left are killed and removed. */
  static async open(options: CgroupOptions, clock: Clock): Promise<Outcome<CgroupTree, string>> {
    const own = options.own ?? findOwnCgroup();
    if (own === null) return fail('there is no cgroup v2 on this machine');
    const required = options.required ?? REQUIRED;
    const available = readWords(join(own, 'cgroup.controllers'));
    const missing = required.filter((name) => !available.includes(name));
    if (missing.length > 0) {
      return fail(`the control group of the node (${own}) has no ${missing.join(' and no ')} controller`);
    }
    const controllers = [...required, ...OPTIONAL.filter((name) => available.includes(name))];
    const tree = new CgroupTree(own, options.tag, controllers, clock);
    try {
      await tree.#make();
      return succeed(tree);
    } catch (error) {
      await tree.close();
      return fail(explain(error, own));
    }
  }

  /** Whether the run's memory and processes are limited by its group. */
  get limits(): boolean {
    return REQUIRED.every((name) => this.#controllers.includes(name));
  }

  /** A new group without processes. Throws when it can't be made. */
  create(name: string, limits: RunLimits): RunCgroup {
    const directory = join(this.#runs, name);
    mkdirSync(directory);
    const group = new RunCgroup(directory, this.#clock);
    try {
      group.limit(limits, this.#controllers);
      return group;
    } catch (error) {
      rmdirSync(directory);
      throw error;
    }
  }

  /** Kills what is left and removes all groups; the daemon stays where it is. */
  async close(): Promise<void> {
    await this.#sweep();
    orNull(() => rmdirSync(this.#runs));
    // Only if it is not used: a process can't leave for its parent once that has controllers for others.
    orNull(() => rmdirSync(this.#leaf));
  }

  async #make(): Promise<void> {
    await this.#sweep();
    orNull(() => mkdirSync(this.#runs));
    readdirSync(this.#runs);
    this.#enableBelow();
    const words = this.#controllers.map((name) => `+${name}`).join(' ');
    writeFileSync(join(this.#runs, 'cgroup.subtree_control'), words);
  }

  /** The group that has processes can't pass controllers on, unless it is the root: the daemon moves out of the way. */
  #enableBelow(): void {
    const control = join(this.#own, 'cgroup.subtree_control');
    const enabled = readWords(control);
    const wanted = this.#controllers.filter((name) => !enabled.includes(name));
    if (wanted.length === 0) return;
    const enable = () => writeFileSync(control, wanted.map((name) => `+${name}`).join(' '));
    try {
      enable();
      return;
    } catch (error) {
      if (codeOf(error) !== 'EBUSY') throw error;
    }
    orNull(() => mkdirSync(this.#leaf));
    writeFileSync(join(this.#leaf, 'cgroup.procs'), String(process.pid));
    try {
      enable();
    } catch (error) {
      writeFileSync(join(this.#own, 'cgroup.procs'), String(process.pid));
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    const names = orNull(() => readdirSync(this.#runs, { withFileTypes: true })) ?? [];
    await Promise.all(
      names
        .filter((entry) => entry.isDirectory())
        .map(async ({ name }) => {
          const group = new RunCgroup(join(this.#runs, name), this.#clock);
          await group.kill();
          await group.remove();
        }),
    );
  }
}

/** Directory of the cgroup v2 that this process is in; null without one. */
export function findOwnCgroup(): string | null {
  const mounts = orNull(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '';
  const own = /^0::(\/.*)$/m.exec(orNull(() => readFileSync('/proc/self/cgroup', 'utf8')) ?? '')?.[1];
  for (const line of mounts.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    if (!right.startsWith('cgroup2 ') || own === undefined) continue;
    const [, , , root = '/', point = ''] = left.split(' ');
    // A bind mount of a part of the hierarchy shows only what is below that part.
    if (root !== '/' && own !== root && !own.startsWith(`${root}/`)) continue;
    return join(point, root === '/' ? own : own.slice(root.length));
  }
  return null;
}

function readWords(path: string): string[] {
  return (orNull(() => readFileSync(path, 'utf8')) ?? '').split(/\s+/).filter((word) => word !== '');
}

function explain(error: unknown, own: string): string {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return `the control group of the node (${own}) was not delegated to it: start it as a service with Delegate=yes`;
  }
  if (code === 'EBUSY') {
    return `the control group of the node (${own}) holds other processes: start it as a service with Delegate=yes`;
  }
  return `control groups can't be made in ${own}: ${error instanceof Error ? error.message : String(error)}`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

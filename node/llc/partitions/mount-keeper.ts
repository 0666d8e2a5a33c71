/**
 * Finds the mounted resctrl, keeps what this node holds in it, and tells when it is lost.
 *
 * There is one lock, that of the filesystem (`ResctrlLock`), and one way to it, `alone`: every operation has its turn
 * there, with the mount as all turns before left it. What is only counted changes without awaiting anything, so it
 * needs no lock.
 */
import { ResctrlError, readIfThere } from '../resctrl/port.ts';
import { readResctrlTopology } from '../resctrl/resctrl-topology.ts';
import type { Topology } from '../types.ts';
import { Mount, type MountParts } from './mount.ts';
import { isAbsent, messageOf } from './survey.ts';

export interface MountKeeperOptions extends Pick<MountParts, 'reserveWays' | 'limits'> {
  readonly emulated: boolean;
}

export interface MountKeeperDependencies
  extends Pick<MountParts, 'fs' | 'logger' | 'names' | 'note' | 'threadsOf'> {
  readonly topology: Topology;
  /** What is lent or free has changed. */
  readonly onChange?: () => void;
}

type Phase =
  | { readonly name: 'new' | 'lost' | 'stopped'; readonly reason: string }
  | { readonly name: 'holding'; readonly mount: Mount };

export class MountKeeper {
  readonly #options: MountKeeperOptions;
  readonly #dependencies: MountKeeperDependencies;
  #phase: Phase = { name: 'new', reason: 'the node has not started' };

  constructor(options: MountKeeperOptions, dependencies: MountKeeperDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  get state(): Phase['name'] {
    return this.#phase.name;
  }

  /** Null while nothing is held. */
  get mount(): Mount | null {
    return this.#phase.name === 'holding' ? this.#phase.mount : null;
  }

  /** Why nothing is held. */
  get reason(): string {
    return this.#phase.name === 'holding' ? '' : this.#phase.reason;
  }

  /** From here on nothing is lent. What is held has been given back. */
  stop(): void {
    this.#phase = { name: 'stopped', reason: 'the node stopped' };
  }

  alone(work: (mount: Mount) => Promise<void>): Promise<void>;
  alone<T>(work: (mount: Mount) => Promise<T>, otherwise: (reason: string) => T): Promise<T>;
  /**
   * `work` has the mount alone. `otherwise` runs in its place and turn where nothing is mounted (any more), other
   * programs don't let go of the lock, or the kernel refused what it should not.
   */
  async alone<T>(
    work: (mount: Mount) => Promise<T>,
    otherwise: (reason: string) => T | undefined = () => undefined,
  ): Promise<T | undefined> {
    const { fs, logger } = this.#dependencies;
    if (this.#phase.name !== 'holding') return otherwise(this.#phase.reason);
    const done: { value?: T | undefined } = {};
    const turn = async () => {
      if (this.#phase.name !== 'holding') return otherwise(this.#phase.reason);
      const { mount } = this.#phase;
      try {
        return await work(mount);
      } catch (error) {
        return otherwise(await this.#refused(mount, error));
      }
    };
    try {
      await fs.locked<void>(
        async () => {
          done.value = await turn();
        },
        (cause) => {
          logger.warn({ err: cause }, 'resctrl could not be locked');
          done.value = otherwise(messageOf(cause));
        },
      );
    } catch (error) {
      // What was done is done. What others did meanwhile, the next round sees.
      logger.warn({ err: error }, 'the lock of resctrl was lost');
    }
    return done.value;
  }

  /** Why it could not be done. */
  async #refused(mount: Mount, error: unknown): Promise<string> {
    const { fs, logger } = this.#dependencies;
    const isGone = isAbsent(error) && (await readIfThere(fs, 'schemata').catch(() => null)) === null;
    if (isGone) return this.#lose(mount);
    logger.warn({ err: error }, 'resctrl refused');
    return messageOf(error);
  }

  #lose(mount: Mount): string {
    const reason = 'resctrl was unmounted';
    this.#phase = { name: 'lost', reason };
    for (const lease of mount.leases) lease.lose(reason);
    this.#dependencies.logger.error({ reason }, 'cache partitions are not enforced any more');
    this.#dependencies.onChange?.();
    return reason;
  }

  /** Looks for it. Not finding it is no error: it may come. */
  async open(): Promise<void> {
    const { fs, logger, topology, names, threadsOf, note } = this.#dependencies;
    const { reserveWays, limits, emulated } = this.#options;
    try {
      await fs.locked(async () => {
        const read = await readResctrlTopology(fs, topology);
        if (!read.ok) return this.#notHere(read.error.message);
        const parts = { fs, logger, topology: read.value, names, note };
        const mount = await Mount.open({ ...parts, threadsOf, limits, reserveWays });
        this.#phase = { name: 'holding', mount };
        const fields = { domains: read.value.domains.length, ways: read.value.ways };
        logger.info(fields, `cache partitions are ${emulated ? 'emulated' : 'enforced'}`);
        this.#dependencies.onChange?.();
      });
    } catch (error) {
      const absent = error instanceof ResctrlError && error.code === 'ENOENT';
      this.#notHere(absent ? 'resctrl is not mounted' : messageOf(error));
    }
  }

  #notHere(reason: string): void {
    const { logger } = this.#dependencies;
    const known = this.#phase.name === 'lost' && this.#phase.reason === reason;
    if (this.#phase.name === 'new') logger.error({ reason }, 'cache partitions are not enforced');
    else if (!known) logger.debug({ reason }, 'cache partitions are still not enforced');
    this.#phase = { name: 'lost', reason };
  }
}

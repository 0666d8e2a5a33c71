/**
 * Keeps this node, if it may become master, in possession of the keys that secrets are sealed under: takes a new one
 * from the master, asks the other members for what it lacks, gives them what it has, and forgets what is of no use any
 * more. Members that only carry out runs get no key: the master opens the secrets of their runs.
 */
import type { ControlResponse } from '../../protocols/schema/messages.ts';
import type { KeyId } from '../../protocols/schema/secret.ts';
import { type BackOffRange, backOff } from '../back-off.ts';
import type { Consensus, NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { KeyRing } from '../secrets/key-ring.ts';
import { keyIdOf } from '../secrets/sealing.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';

/** Runs end all the time, and some key is of no use any more. */
const PERIOD_MS = 10_000;
const RETRY: BackOffRange = { firstMs: 500, longestMs: 30_000 };

export interface KeyKeeperDependencies {
  readonly keys: KeyRing;
  readonly tables: Tables;
  readonly consensus: Pick<Consensus<ApplyResult>, 'status'>;
  readonly mesh: Pick<Mesh, 'id' | 'call'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class KeyKeeper {
  readonly #deps: KeyKeeperDependencies;
  #state: 'new' | 'idle' | 'working' | 'stopped' = 'new';
  #stops: Cancel[] = [];
  #retry: Cancel | null = null;
  #failures = 0;

  constructor(dependencies: KeyKeeperDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    const { clock, tables, mesh } = this.#deps;
    this.#state = 'idle';
    this.#stops = [
      clock.every(PERIOD_MS, () => void this.#follow()),
      tables.onApplied((command) => {
        const isNews = command.type === 'cluster-key-put' || command.type === 'task-secrets';
        const isOwnAdmission =
          (command.type === 'member-put' || command.type === 'member-admit') && command.member.id === mesh.id;
        if (isNews || isOwnAdmission) this.#soon();
      }),
    ];
    void this.#follow();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#retry?.();
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** What its operator must mend; null: nothing. */
  get trouble(): string | null {
    const missing = this.#missing();
    if (missing.length === 0 || this.#failures < 3) return null;
    return `it lacks the key that secrets are sealed under, and no member gives it (${missing.join(', ')}): start the members that are down, or hand the secrets in again`;
  }

  /** The master's order. */
  async keep(key: Uint8Array): Promise<ControlResponse> {
    if (!this.#mayHold(this.#deps.mesh.id)) return REFUSED;
    await this.#deps.keys.keep(key);
    return { type: 'ok' };
  }

  give(to: NodeId, id: KeyId): ControlResponse {
    const key = this.#mayHold(to) ? this.#deps.keys.key(id) : null;
    return key === null ? REFUSED : { type: 'cluster-key', key };
  }

  /** This node is no member any more. Should it be let in again it asks for the keys anew. */
  forget(): void {
    void this.#deps.keys.forgetAll().catch((error: unknown) => {
      this.#deps.logger.error({ err: error }, 'cluster keys could not be removed');
    });
  }

  #mayHold(id: NodeId): boolean {
    return this.#deps.tables.member(id)?.mayVote === true;
  }

  #missing(): KeyId[] {
    const { tables, keys, mesh } = this.#deps;
    if (tables.clusterKey.current === null || !this.#mayHold(mesh.id)) return [];
    return [...keysInUse(tables)].filter((id) => keys.key(id) === null);
  }

  #soon(): void {
    this.#failures = 0;
    this.#deps.clock.after(0, () => void this.#follow());
  }

  /** Never rejects. */
  async #follow(): Promise<void> {
    const { clock, tables, keys, logger } = this.#deps;
    if (this.#state !== 'idle') return;
    this.#state = 'working';
    this.#retry?.();
    this.#retry = null;
    try {
      for (const id of this.#missing()) await this.#ask(id);
      const { current } = tables.clusterKey;
      if (current !== null) await keys.forgetOld(current, keysInUse(tables));
      this.#failures = this.#missing().length === 0 ? 0 : this.#failures + 1;
    } catch (error) {
      this.#failures += 1;
      logger.error({ err: error }, 'cluster key could not be stored');
    }
    if (this.#isStopped()) return;
    this.#state = 'idle';
    if (this.#failures === 0) return;
    this.#retry = clock.after(backOff(RETRY, this.#failures - 1), () => void this.#follow());
  }

  /** It may have been stopped while something was waited for. */
  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** The master first: it has had to open something. */
  async #ask(id: KeyId): Promise<void> {
    const { tables, keys, consensus, mesh, logger } = this.#deps;
    const { leader } = consensus.status();
    const others = tables.members().filter((member) => member.mayVote && member.id !== mesh.id);
    for (const member of others.toSorted((a, b) => Number(b.id === leader) - Number(a.id === leader))) {
      if (this.#isStopped()) return;
      const answer = await mesh.call(member.id, { type: 'cluster-key-ask', id });
      if (!answer.ok || answer.value.type !== 'cluster-key' || keyIdOf(answer.value.key) !== id) continue;
      // It may have been removed while it waited.
      if (this.#isStopped() || !this.#mayHold(mesh.id)) return;
      await keys.keep(answer.value.key, { isOld: id !== tables.clusterKey.current });
      logger.info({ key: id, from: member.id }, 'cluster key received');
      return;
    }
    if (this.#failures === 0) logger.warn({ key: id }, 'no member gives the cluster key');
  }
}

const REFUSED: ControlResponse = {
  type: 'refused',
  code: 'NO_KEY',
  message: 'cluster keys are for members that may become master, and this node has no such key',
};

/** The current key, and those that something is still sealed under. */
function keysInUse(tables: Tables): Set<KeyId> {
  const sealed = [
    ...tables.tasks().flatMap((task) => task.secrets),
    ...tables.activeRuns().flatMap((run) => run.spec.secrets),
  ].flatMap((secret) => secret.sealed?.keyId ?? []);
  const { current } = tables.clusterKey;
  return new Set(current === null ? sealed : [...sealed, current]);
}

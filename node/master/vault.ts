/**
 * Seals and opens secrets, and sees to the key that they are sealed under. The first secret makes the first key. When a
 * member is removed a new one is made, and what tasks have is sealed anew: who was removed knows the old key. A key is
 * used only once a majority of the voters has it on disk, so that whoever leads next can open what was sealed.
 */
import { randomBytes } from 'node:crypto';
import { type Answer, fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { KEY_BYTES, type SealedSecret, type Secret } from '../../protocols/schema/secret.ts';
import type { Task } from '../../protocols/schema/task.ts';
import type { Configuration, NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { KeyRing } from '../secrets/key-ring.ts';
import { keyIdOf, type Owner, open, seal } from '../secrets/sealing.ts';
import type { Tables } from '../state/tables.ts';
import { storeOnMajority } from './majority.ts';
import type { Propose } from './propose.ts';

/** What failed is tried again so often. */
const PERIOD_MS = 5_000;

export const STALE_KEY = {
  code: 'UNAVAILABLE',
  message: 'the key for secrets was changed just now; ask again',
  retryAfterSeconds: 1,
} as const;

export interface VaultDependencies {
  readonly self: NodeId;
  readonly keys: KeyRing;
  readonly tables: Tables;
  readonly configuration: () => Configuration;
  readonly term: () => number;
  readonly call: Mesh['call'];
  readonly propose: Propose;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Vault {
  readonly #deps: VaultDependencies;
  /** Made, and not yet in use: tried again rather than replaced, as long as nobody was removed meanwhile. */
  #next: { readonly key: Uint8Array; readonly removals: number } | null = null;
  #renewing: Promise<Outcome<void, string>> | null = null;
  #isBusy = false;
  #stops: Cancel[] = [];

  constructor(dependencies: VaultDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    const { clock, tables } = this.#deps;
    const soon = (): void => void clock.after(0, () => void this.#step());
    this.#stops = [
      clock.every(PERIOD_MS, () => void this.#step()),
      tables.onApplied(({ type }) => {
        if (type === 'member-remove' || type === 'cluster-key-put') soon();
      }),
    ];
    soon();
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  async seal(owner: Owner, secrets: readonly Secret[]): Promise<Answer<readonly SealedSecret[]>> {
    if (secrets.length === 0) return succeed([]);
    if (this.#current() === null) {
      const renewed = await this.#renew();
      if (!renewed.ok) {
        const message = `the key for secrets ${renewed.error}; nothing was changed, try again`;
        return fail({ code: 'UNAVAILABLE', message, retryAfterSeconds: 2 });
      }
    }
    const key = this.#current();
    return key === null ? fail(STALE_KEY) : succeed(secrets.map((secret) => seal(key, owner, secret)));
  }

  /** Failure: a sentence. `NO_KEY`: another member may still bring it. */
  open(
    owner: Owner,
    sealed: readonly SealedSecret[],
  ): Outcome<Secret[], { readonly code: 'NO_KEY' | 'DAMAGED'; readonly message: string }> {
    const secrets: Secret[] = [];
    for (const each of sealed) {
      const key = each.sealed && this.#deps.keys.key(each.sealed.keyId);
      if (key === null) {
        const message = `this node has no key for the secret ${each.name} and asks the other members for it`;
        return fail({ code: 'NO_KEY', message });
      }
      const secret = open(key, owner, each);
      if (secret === null)
        return fail({ code: 'DAMAGED', message: `the secret ${each.name} is damaged: hand it in again` });
      secrets.push(secret);
    }
    return succeed(secrets);
  }

  /** What secrets may be sealed under now; null: a new key is due, or this node lacks the one that there is. */
  #current(): Uint8Array | null {
    const { tables, keys } = this.#deps;
    const { current, isFresh } = tables.clusterKey;
    return current !== null && isFresh ? keys.key(current) : null;
  }

  async #step(): Promise<void> {
    const { clusterKey } = this.#deps.tables;
    if (this.#isBusy || this.#stops.length === 0 || clusterKey.current === null) return;
    this.#isBusy = true;
    try {
      if (!clusterKey.isFresh) await this.#renew();
      for (const task of this.#deps.tables.tasks()) await this.#sealAnew(task);
    } finally {
      this.#isBusy = false;
    }
  }

  #renew(): Promise<Outcome<void, string>> {
    this.#renewing ??= this.#makeKey().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /** Never rejects. Failure: a clause that says why the key is not in use. */
  async #makeKey(): Promise<Outcome<void, string>> {
    const { tables, keys, self, configuration, propose, logger } = this.#deps;
    const { removals } = tables.clusterKey;
    if (this.#next?.removals !== removals)
      this.#next = { key: Uint8Array.from(randomBytes(KEY_BYTES)), removals };
    const { key } = this.#next;
    const id = keyIdOf(key);
    try {
      await keys.keep(key);
    } catch (error) {
      logger.error({ err: error }, 'cluster key could not be stored');
      return fail('could not be written to the disk of the master');
    }
    const stored = await storeOnMajority({ ...configuration(), self }, (voter) => this.#push(voter, key));
    if (!stored.ok) return stored;
    const outcome = await propose({ type: 'cluster-key-put', id, removals });
    if (!outcome.ok) return fail('could not be agreed on');
    if (!outcome.value.ok) return fail('was made before a member was removed');
    this.#next = null;
    logger.info({ key: id }, 'secrets are sealed under a new key');
    return succeed(undefined);
  }

  /** Null once it is on the voter's disk, or why not. */
  async #push(voter: NodeId, key: Uint8Array): Promise<string | null> {
    const { tables, call, term } = this.#deps;
    if (tables.member(voter)?.mayVote !== true) return `${voter} is no member that may have it`;
    const answer = await call(voter, { type: 'cluster-key-keep', term: term(), key });
    if (!answer.ok) return answer.error.message;
    if (answer.value.type === 'ok') return null;
    return answer.value.type === 'refused' ? answer.value.message : `${voter} answered ${answer.value.type}`;
  }

  async #sealAnew(task: Task): Promise<void> {
    const { tables, propose, logger } = this.#deps;
    const key = this.#current();
    const { current } = tables.clusterKey;
    if (key === null || task.secrets.every(({ sealed }) => sealed?.keyId === current)) return;
    const owner: Owner = `task ${task.id}`;
    const opened = this.open(owner, task.secrets);
    if (!opened.ok) {
      logger.warn({ task: task.id, reason: opened.error.message }, 'secrets stay under the old key');
      return;
    }
    const secrets = opened.value.map((secret) => seal(key, owner, secret));
    await propose({ type: 'task-secrets', taskId: task.id, secrets });
  }
}

/**
 * The master: exists only while this node leads and is ready. Everything that it knows it derives from the
 * tables and from what it is told, so that the next master starts from the same.
 */

import { generosity } from '../../predictor/choose-ways.ts';
import type { ModelHost } from '../../predictor/model-host.ts';
import type { WritableShelf } from '../../protocols/blob/index.ts';
import type { ControlRequest, ControlResponse } from '../../protocols/schema/messages.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import { isTerminal, type Run } from '../../protocols/schema/run.ts';
import type { TokenId } from '../../protocols/schema/token.ts';
import type { Consensus, NodeId } from '../consensus/types.ts';
import type { CapacityBoard } from '../membership/capacity-board.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Clock, Logger, Random } from '../ports.ts';
import type { KeyRing } from '../secrets/key-ring.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';
import { Admission } from './admission.ts';
import { Autopilot } from './autopilot.ts';
import { BenchmarkService } from './benchmark-service.ts';
import { BlobReplicator } from './blob-replicator.ts';
import { Dispatcher } from './dispatcher.ts';
import {
  type FoundingTokenDependencies,
  type FoundingTokenOptions,
  putFoundingToken,
} from './founding-token.ts';
import { type Propose, proposeTo, unavailable } from './propose.ts';
import { Reconciler } from './reconciler.ts';
import { ReportDesk } from './report-desk.ts';
import type { Deed } from './requests.ts';
import { RunService } from './run-service.ts';
import { Scheduler } from './scheduler.ts';
import { TaskService } from './task-service.ts';
import { TokenService } from './token-service.ts';
import { Trainer } from './trainer.ts';
import { Vault } from './vault.ts';
import { WayPlanner } from './way-planner.ts';

export interface MasterOptions extends FoundingTokenOptions {
  readonly maxVoters: number;
  readonly queueLimit: number;
  readonly timeLimitMs: number;
  readonly maxUploadBytes: number;
}

export interface MasterDependencies {
  readonly consensus: Consensus<ApplyResult>;
  readonly tables: Tables;
  readonly board: CapacityBoard;
  readonly mesh: Pick<Mesh, 'id' | 'call' | 'pushBlob'>;
  readonly shelf: WritableShelf;
  /** Of the cluster, that this node holds. */
  readonly keys: KeyRing;
  readonly host: ModelHost;
  readonly ownToken: FoundingTokenDependencies['ownToken'];
  /** Waits for a run to end. */
  readonly watch: { finished(runId: string, signal: AbortSignal): Promise<Answer<Run>> };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class Master {
  readonly #deps: MasterDependencies;
  readonly #propose: Propose;
  readonly #reportDesk: ReportDesk;
  readonly #reconciler: Reconciler;
  readonly #autopilot: Autopilot;
  readonly #putFoundingToken: () => Promise<void>;
  readonly admission: Admission;
  readonly #vault: Vault;
  readonly scheduler: Scheduler;
  readonly tasks: TaskService;
  readonly planner: WayPlanner;
  readonly runs: RunService;
  readonly benchmarks: BenchmarkService;
  readonly trainer: Trainer;
  readonly tokens: TokenService;

  constructor(options: MasterOptions, dependencies: MasterDependencies) {
    const { consensus, tables, board, mesh, shelf, watch } = dependencies;
    this.#deps = dependencies;
    const propose = proposeTo(consensus, dependencies);
    this.#propose = propose;
    const call = mesh.call.bind(mesh);
    const configuration = () => consensus.status().configuration;
    const replicator = new BlobReplicator({
      ...dependencies,
      self: mesh.id,
      configuration,
      pushBlob: mesh.pushBlob.bind(mesh),
    });
    const replicate = replicator.replicate.bind(replicator);
    const term = (): number => consensus.status().term;
    const vault = new Vault({ ...dependencies, self: mesh.id, configuration, term, call, propose });
    this.#vault = vault;
    const dispatcher = new Dispatcher({ ...dependencies, propose, call, vault });
    this.scheduler = new Scheduler(options, { ...dependencies, self: mesh.id, dispatcher, propose, term });
    this.tasks = new TaskService(options, { ...dependencies, shelf, replicate, propose, vault });
    this.planner = new WayPlanner({
      ...dependencies,
      self: mesh.id,
      scheduler: this.scheduler,
      predictor: dependencies.host,
    });
    this.runs = new RunService(options, {
      ...dependencies,
      scheduler: this.scheduler,
      planner: this.planner,
      vault,
    });
    this.benchmarks = new BenchmarkService(options, {
      ...dependencies,
      board,
      domains: () => this.scheduler.domains(),
      runs: this.runs,
      finished: (runId, signal) => watch.finished(runId, signal),
      cancel: (runId) => this.cancel(runId),
      predictor: dependencies.host,
      propose,
    });
    this.#reportDesk = new ReportDesk({ ...dependencies, tables, propose, shelf, replicate });
    this.#reconciler = new Reconciler({ ...dependencies, dispatcher, call });
    this.#autopilot = new Autopilot(options, dependencies);
    this.admission = new Admission({ ...dependencies, propose });
    this.#putFoundingToken = () => putFoundingToken(options, { ...dependencies, self: mesh.id, propose });
    this.tokens = new TokenService({ ...dependencies, propose });
    this.trainer = new Trainer({}, { ...dependencies, self: mesh.id, replicate, propose });
  }

  start(): void {
    void this.#putFoundingToken();
    this.scheduler.start();
    this.#reconciler.start();
    this.#autopilot.start();
    this.#vault.start();
    this.trainer.start();
  }

  stop(): void {
    this.trainer.stop();
    this.#vault.stop();
    this.#autopilot.stop();
    this.#reconciler.stop();
    this.scheduler.stop();
  }

  generosity(): number {
    return generosity(this.scheduler.freeWays());
  }

  /** What other members (and this node itself) tell or ask the master. */
  async control(from: NodeId, request: ControlRequest): Promise<ControlResponse> {
    switch (request.type) {
      case 'admit':
      case 'admit-joiner':
        return this.admission.answer(from, request);
      case 'started':
        return this.#reportDesk.started(from, request);
      case 'report':
        return this.#reportDesk.report(from, request.report);
      default:
        return { type: 'refused', code: 'WRONG_NODE', message: `${request.type} is for workers` };
    }
  }

  /** Before it is done: what can't be recorded isn't done. */
  async record(deed: Deed): Promise<Answer<void>> {
    const entry = { ...deed, atMs: this.#deps.clock.nowMs() };
    const outcome = await this.#propose({ type: 'audit', entry });
    return outcome.ok ? succeed(undefined) : unavailable(outcome.error);
  }

  /** Tells also which join tokens were revoked with it. */
  async remove(id: string): Promise<Answer<{ readonly revokedTokens: readonly TokenId[] }>> {
    const member = this.#deps.tables.member(id);
    if (!member) return fail({ code: 'NOT_FOUND', message: `${id} is no member; see /cluster/workers` });
    if (id === this.#deps.mesh.id) {
      return fail({
        code: 'CONFLICT',
        message: "the master can't be removed; stop it, and remove it when another one leads",
      });
    }
    const { tokens } = this.#deps.tables;
    const live = tokens.joinTokens().filter(({ revokedAtMs }) => revokedAtMs === null);
    const outcome = await this.#propose({ type: 'member-remove', id, atMs: this.#deps.clock.nowMs() });
    if (!outcome.ok) return unavailable(outcome.error);
    const revoked = live.filter((token) => tokens.join(token.id)?.revokedAtMs != null);
    return succeed({ revokedTokens: revoked.map((token) => token.id) });
  }

  async selectModel(version: number): Promise<Answer<void>> {
    const outcome = await this.#propose({ type: 'model-select', version });
    if (!outcome.ok) return unavailable(outcome.error);
    if (outcome.value.ok) return succeed(undefined);
    const known = [0, ...this.#deps.tables.models.versions.map((model) => model.version)];
    return fail({
      code: 'NOT_FOUND',
      message: `there is no version ${version} of the model; known: ${known.join(', ')} (0: as shipped)`,
    });
  }

  async cancel(id: string): Promise<Answer<Run>> {
    const run = this.#deps.tables.run(id);
    if (!run) return fail({ code: 'NOT_FOUND', message: `there is no run ${id}` });
    const outcome = await this.#propose({ type: 'run-cancel', runId: id, atMs: this.#deps.clock.nowMs() });
    if (!outcome.ok) return unavailable(outcome.error);
    const after = this.#deps.tables.run(id) ?? run;
    if (!outcome.value.ok && isTerminal(after) && after.state !== 'cancelled') {
      return fail({ code: 'CONFLICT', message: `run ${id} is already over (${after.state})` });
    }
    return succeed(after);
  }
}

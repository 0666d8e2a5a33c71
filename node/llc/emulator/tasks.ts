/**
 * Which thread is in which group. A thread is in its creator's group until it is moved. The creator's group *at
 * that moment* counts, so threads that aren't known yet are settled before anything moves.
 */
import type { ControlGroup, Group } from './groups.ts';
import type { ProcessTable, ThreadInfo } from './processes.ts';

interface Assignment {
  readonly pid: number;
  group: Group;
}

export class TaskAssignments {
  readonly #processes: ProcessTable;
  readonly #root: ControlGroup;
  #assignments = new Map<number, Assignment>();
  #living: ReadonlyMap<number, ThreadInfo> = new Map();

  constructor(root: ControlGroup, processes: ProcessTable) {
    this.#root = root;
    this.#processes = processes;
  }

  /** To be awaited at the start of whatever reads or moves threads. */
  async settle(): Promise<void> {
    const living = new Map((await this.#processes.threads()).map((thread) => [thread.tid, thread]));
    const settled = new Map<number, Assignment>();
    for (const thread of living.values()) {
      const before = this.#assignments.get(thread.tid);
      const group = before?.pid === thread.pid ? before.group : this.#inherited(thread);
      settled.set(thread.tid, { pid: thread.pid, group });
    }
    // Who has just ended may have made threads that only the next look finds; nobody who ended before that can.
    for (const tid of this.#living.keys()) {
      const assignment = this.#assignments.get(tid);
      if (!settled.has(tid) && assignment !== undefined) settled.set(tid, assignment);
    }
    this.#assignments = settled;
    this.#living = living;
  }

  /** The nearest ancestor that was settled before: nothing has moved since, so those between are in its group. */
  #inherited(thread: ThreadInfo): Group {
    for (const tid of thread.lineage) {
      const known = this.#assignments.get(tid);
      if (known !== undefined) return known.group;
    }
    return this.#root;
  }

  /** Null when no such thread lives. */
  groupOf(tid: number): Group | null {
    if (!this.#living.has(tid)) return null;
    return this.#assignments.get(tid)?.group ?? this.#root;
  }

  /** Threads outside of the root group, as last settled: thread, process, group. */
  outside(): [number, number, Group][] {
    return [...this.#assignments].flatMap(([tid, { pid, group }]): [number, number, Group][] =>
      group === this.#root ? [] : [[tid, pid, group]],
    );
  }

  /** Where a thread was before; forgotten at the next look unless it still lives. */
  restore(tid: number, pid: number, group: Group): void {
    this.#assignments.set(tid, { pid, group });
  }

  move(tid: number, group: Group): void {
    const assignment = this.#assignments.get(tid);
    if (assignment !== undefined) assignment.group = group;
  }

  moveAll(from: Group, to: Group): void {
    for (const assignment of this.#assignments.values()) {
      if (isIn(assignment.group, from)) assignment.group = to;
    }
  }

  /** As last settled; a control group without its monitor groups. */
  processesIn(group: Group): Set<number> {
    const inside = [...this.#living.values()].filter(({ tid }) => this.groupOf(tid) === group);
    return new Set(inside.map(({ pid }) => pid));
  }

  /** A control group lists the threads of its monitor groups too. */
  list(group: Group): number[] {
    return [...this.#living.keys()].filter((tid) => isIn(this.groupOf(tid), group));
  }
}

function isIn(inner: Group | null, outer: Group): boolean {
  return inner === outer || (inner?.kind === 'monitor' && inner.parent === outer);
}

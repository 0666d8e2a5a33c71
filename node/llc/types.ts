/** One last-level cache and the CPUs that share it. */
export interface LlcDomain {
  readonly id: number;
  /** Online CPUs, ascending. */
  readonly cpus: readonly number[];
  readonly ways: number;
  readonly wayBytes: number;
}

export interface Topology {
  readonly domains: readonly LlcDomain[];
  /** Where the geometry comes from: the machine, a flag, or a guess because the machine tells nothing. */
  readonly source: 'sysfs' | 'override' | 'assumed';
  readonly cpuModel: string;
}

/** Peak and mean of a group's counters over the samples of a lease's life. */
import type { CacheUse, CounterSummary } from '../../../protocols/schema/run.ts';
import type { DomainCounters } from '../resctrl/occupancy.ts';

export class CounterTrail {
  readonly #occupancy = new Summary();
  readonly #total = new Rate();
  readonly #local = new Rate();
  #samples = 0;

  /** Where the counters stand as the first process comes: bytes that were moved before are not the run's. */
  begin(atMs: number, counters: DomainCounters): void {
    this.#total.add(atMs, counters.mbmTotal);
    this.#local.add(atMs, counters.mbmLocal);
  }

  /** @param atMs monotonic */
  add(atMs: number, counters: DomainCounters): void {
    this.#samples++;
    if (counters.llcOccupancy !== null) this.#occupancy.add(counters.llcOccupancy, 1);
    this.begin(atMs, counters);
  }

  /** Another group's counters follow: they began elsewhere. */
  restart(): void {
    this.#total.restart();
    this.#local.restart();
  }

  summary(): CacheUse {
    return {
      samples: this.#samples,
      occupancyBytes: this.#occupancy.value(),
      bandwidthBytesPerSecond: this.#total.summary.value(),
      localBandwidthBytesPerSecond: this.#local.summary.value(),
    };
  }
}

class Summary {
  #last = 0;
  #peak = 0;
  #sum = 0;
  #weight = 0;

  add(value: number, weight: number): void {
    this.#last = value;
    this.#peak = Math.max(this.#peak, value);
    this.#sum += value * weight;
    this.#weight += weight;
  }

  value(): CounterSummary | null {
    if (this.#weight === 0) return null;
    return { last: this.#last, peak: this.#peak, mean: this.#sum / this.#weight };
  }
}

/** Bytes per second between readings; a counter that goes backwards has begun anew. */
class Rate {
  readonly summary = new Summary();
  #before: { readonly atMs: number; readonly bytes: number } | null = null;

  add(atMs: number, bytes: number | null): void {
    if (bytes === null) return;
    const before = this.#before;
    this.#before = { atMs, bytes };
    if (before === null || bytes < before.bytes || atMs <= before.atMs) return;
    const seconds = (atMs - before.atMs) / 1000;
    this.summary.add((bytes - before.bytes) / seconds, seconds);
  }

  restart(): void {
    this.#before = null;
  }
}

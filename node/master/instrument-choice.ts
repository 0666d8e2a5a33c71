/** By what, and where, a benchmark is measured. Pure. */

import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import { PROFILERS, type ProfilerName } from '../../protocols/schema/task.ts';
import type { NodeId } from '../consensus/types.ts';
import { TRAITS } from '../llc/profiler-traits.ts';
import { splitCommand } from '../worker/command.ts';
import type { DomainOffer } from './placement.ts';

export interface InstrumentChoice {
  readonly profiler: ProfilerName;
  /** Why not a better one; null: it is the best, or was asked for by name. */
  readonly note: string | null;
  readonly domain: DomainOffer;
}

/** They compile while they run: what a simulator sees of a short run is their compiler, at a hundredth of the speed. */
const COMPILES_AT_RUN_TIME =
  /^(node|nodejs|bun|deno|java|dotnet|mono|pypy|luajit|julia|wasmtime|wasmer)[-.\d]*$/;

/**
 * The quietest domain of the nodes that have the profiler wanted, or with `auto` the best that any node has.
 * @param profilersOf the profilers of a node
 */
export function chooseInstrument(
  wanted: ProfilerName | 'auto',
  command: string,
  domains: readonly DomainOffer[],
  profilersOf: (node: NodeId) => readonly string[],
): Answer<InstrumentChoice> {
  const having = (name: ProfilerName) => domains.filter(({ node }) => profilersOf(node).includes(name));
  if (domains.length === 0) return noNode();
  if (wanted !== 'auto') {
    const domain = quietest(having(wanted));
    if (domain) return succeed({ profiler: wanted, note: null, domain });
    const others = PROFILERS.filter((name) => having(name).length > 0);
    return fail({
      code: 'UNPROCESSABLE',
      message: `no node can measure by ${wanted} now; it can be had: ${others.join(', ') || 'nothing'}`,
    });
  }
  const compiler = compilesAtRunTime(command);
  for (const profiler of PROFILERS) {
    const domain = quietest(having(profiler));
    if (!domain || (compiler !== null && TRAITS[profiler].simulates)) continue;
    const skipped = compiler !== null && having('cachegrind').length > 0 && profiler === 'wallclock';
    const note = skipped
      ? `${compiler} compiles while it runs, which cachegrind would measure with it; ask for cachegrind by name if you want that`
      : null;
    return succeed({ profiler, note, domain });
  }
  return noNode();
}

function compilesAtRunTime(command: string): string | null {
  const words = splitCommand(command);
  if (!words.ok) return null;
  const names = words.value.map((word) => word.slice(word.lastIndexOf('/') + 1));
  const name = names[0] === 'env' ? names[1] : names[0];
  return name !== undefined && COMPILES_AT_RUN_TIME.test(name) ? name : null;
}

/** The domain with the most ways free of others, so that little disturbs the measurement. */
function quietest(all: readonly DomainOffer[]): DomainOffer | null {
  // Where other programs hold the whole cache nothing can be measured.
  const domains = all.filter(({ ways }) => ways > 0);
  const busy = (domain: DomainOffer): number =>
    domain.ways - domain.freeWays + (domain.cpus - domain.freeCpus);
  return domains.reduce<DomainOffer | null>((best, domain) => {
    if (!best || busy(domain) < busy(best)) return domain;
    return busy(domain) === busy(best) && domain.ways > best.ways ? domain : best;
  }, null);
}

function noNode(): Answer<never> {
  return fail({
    code: 'UNAVAILABLE',
    message: 'no node has told its cache yet; try again in a moment',
    retryAfterSeconds: 1,
  });
}

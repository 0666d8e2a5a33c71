/**
 * Lends the ways of last-level caches: pure functions from a state and a request to a new state and the rewritings of
 * masks that lead there. What compaction could serve is never refused for fragmentation, unless no order of safe
 * moves leads there.
 */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import { unpromisedWays } from './domain.ts';
import { type Placement, place, settle } from './place.ts';
import { poolCapacity, poolDemand } from './pool.ts';
import {
  DEFAULT_POOL_LIMITS,
  type DomainState,
  type Loan,
  type Plan,
  type PoolLimits,
  type PoolMember,
  type Refusal,
  type WayRequest,
  type WayState,
} from './types.ts';

export function openWays(
  closids: number,
  domains: readonly DomainState[],
  limits: PoolLimits = DEFAULT_POOL_LIMITS,
): WayState {
  return { closids, limits, nextTicket: 1, domains };
}

/** Partitions over all domains that there are classes of service for, one being kept for the pool. */
export function partitionsLeft(state: WayState): number {
  return state.closids - 1 - state.domains.reduce((sum, { partitions }) => sum + partitions.length, 0);
}

/** A partition for a run that gains from one; a place in the pool for others, and while CLOSIDs are used up. */
export function lend(state: WayState, request: WayRequest): Outcome<Loan, Refusal> {
  const domain = state.domains.find(({ id }) => id === request.domain);
  if (domain === undefined) return refuse('UNKNOWN_DOMAIN', `there is no LLC domain ${request.domain}`);
  if (!Number.isInteger(request.ways) || request.ways < 1) {
    return refuse('BAD_WAYS', `${request.ways} is no number of ways`);
  }
  if (state.domains.some((each) => holds(each, request.id))) {
    return refuse('DUPLICATE', `${request.id} holds ways already`);
  }
  const ways = Math.max(request.ways, domain.minBits);
  if (request.sensitive && request.wait !== true && partitionsLeft(state) > 0) {
    return lendPartition(state, domain, request.id, ways);
  }
  return joinPool(state, domain, { ...request, ways });
}

/** Takes back what `id` holds, and fits the pool to who is left. Nobody else is moved, nor moved up (see `promote`). */
export function giveBack(state: WayState, id: string): Plan {
  const domain = state.domains.find((each) => holds(each, id));
  if (domain === undefined) return { state, steps: [] };
  const partition = domain.partitions.find((each) => each.id === id);
  const left: DomainState = {
    ...domain,
    partitions: domain.partitions.filter((each) => each !== partition),
    members: domain.members.filter((member) => member.id !== id),
  };
  const gone = partition && { domain: domain.id, holder: id, from: partition.span, to: null };
  const fitted = settle(left, state.limits);
  const steps = [...(gone ? [gone] : []), ...(fitted?.steps ?? [])];
  return { state: withDomain(state, fitted?.domain ?? left), steps };
}

/** Moves up who has waited longest among those that a partition can be made for, but for `except`; null: nobody. */
export function promote(state: WayState, except: ReadonlySet<string> = new Set()): Loan | null {
  if (partitionsLeft(state) <= 0) return null;
  const waiting = state.domains
    .flatMap((domain) =>
      domain.members.filter((member) => member.waiting).map((member) => ({ domain, member })),
    )
    .sort((a, b) => a.member.ticket - b.member.ticket);
  for (const { domain, member } of waiting) {
    if (except.has(member.id)) continue;
    const after = { ...domain, members: domain.members.filter((other) => other !== member) };
    const found = place(after, state.limits, { newcomer: member });
    if (found !== null) return loan(state, member.id, found);
  }
  return null;
}

/** The most ways that one run could be lent as a partition now, whether or not there is a class of service. */
export function largestLoan(state: WayState, domainId: number): number {
  const domain = state.domains.find(({ id }) => id === domainId);
  if (domain === undefined) return 0;
  for (let ways = unpromisedWays(domain, state.limits); ways >= domain.minBits; ways--) {
    if (place(domain, state.limits, { newcomer: { id: '', ways } }) !== null) return ways;
  }
  return 0;
}

function lendPartition(
  state: WayState,
  domain: DomainState,
  id: string,
  ways: number,
): Outcome<Loan, Refusal> {
  const left = unpromisedWays(domain, state.limits);
  if (ways > left)
    return refuse('NO_WAYS', `LLC domain ${domain.id} has ${Math.max(0, left)} ways left, not ${ways}`);
  const found = place(domain, state.limits, { newcomer: { id, ways } });
  if (found !== null) return succeed(loan(state, id, found));
  return refuse('NO_WAYS', `the ${left} ways left of LLC domain ${domain.id} hold no run of ${ways}`);
}

function joinPool(state: WayState, domain: DomainState, request: WayRequest): Outcome<Loan, Refusal> {
  if (state.closids < 1) return refuse('NO_CLOSID', 'other programs hold all classes of service');
  const { id, ways } = request;
  const member: PoolMember = { id, ways, waiting: request.sensitive, ticket: state.nextTicket };
  const after = { ...domain, members: [...domain.members, member] };
  const insensitive = after.members.filter(({ waiting }) => !waiting).length;
  if (!member.waiting && insensitive > poolCapacity(state.limits)) {
    return refuse('POOL_FULL', `the pool of LLC domain ${domain.id} has ${insensitive - 1} members`);
  }
  const grown = poolDemand(after, state.limits) - poolDemand(domain, state.limits);
  if (grown > unpromisedWays(domain, state.limits)) {
    return refuse('NO_WAYS', `LLC domain ${domain.id} has no ways left for its pool to grow by ${grown}`);
  }
  // Others are only moved when there would be no pool at all.
  const found = settle(after, state.limits) ?? place(after, state.limits, { newcomer: null });
  if (found === null) return refuse('NO_WAYS', `LLC domain ${domain.id} has no run of ways for a pool`);
  return succeed(loan({ ...state, nextTicket: state.nextTicket + 1 }, id, found));
}

function holds(domain: DomainState, id: string): boolean {
  return domain.partitions.some((each) => each.id === id) || domain.members.some((each) => each.id === id);
}

function loan(state: WayState, id: string, { domain, steps, span }: Placement): Loan {
  return { state: withDomain(state, domain), steps, id, span };
}

export function withDomain(state: WayState, domain: DomainState): WayState {
  return { ...state, domains: state.domains.map((each) => (each.id === domain.id ? domain : each)) };
}

function refuse(code: Refusal['code'], message: string): Outcome<never, Refusal> {
  return fail({ code, message });
}

/**
 * The filter of system calls that programs run under: whatever isn't refused is allowed, so that any language's
 * programs run, and what is newer than this list is answered as by an older kernel. seccomp(2). Pure.
 */
import { assemble, type Statement } from './bpf.ts';
import { type Architecture, JUDGED_CALLS, LAST_CALL, REFUSED_CALLS } from './calls.ts';

/** Of the program that loads the filter; the one before is the latch's. */
export const FILTER_DESCRIPTOR = 4;

/** Offsets in `struct seccomp_data` (linux/seccomp.h); of the first argument the lower half. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;

/** AUDIT_ARCH_* (linux/audit.h). */
const AUDIT: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const errno = (code: number): number => 0x0005_0000 | code;
const EPERM = errno(1);
const ENOSYS = errno(38);
const EAFNOSUPPORT = errno(97);

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2)). */
const NAMESPACES = 0x7e02_0000;
/** CLONE_NEWTIME has a bit that means a signal to clone(2). */
const UNSHARED = NAMESPACES | 0x80;
/**
 * AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK (which lists network interfaces). Others, AF_VSOCK above all, which leads
 * to the host of a virtual machine, are not kept apart by network namespaces.
 */
const FAMILIES = [1, 2, 10, 16];
/** PER_LINUX, and the question for what it is (personality(2)). */
const PERSONALITIES = [0, 0xffff_ffff];

/** The program for an architecture by Node's name; null where there is none. */
export function filterFor(architecture: string): Uint8Array | null {
  return architecture === 'x64' || architecture === 'arm64' ? assemble(filterOf(architecture)) : null;
}

function filterOf(architecture: Architecture): Statement[] {
  const numbers = Object.values(REFUSED_CALLS).flatMap((call) => call[architecture] ?? []);
  const to = (name: keyof typeof JUDGED_CALLS, label: string) =>
    when('equal', JUDGED_CALLS[name][architecture], label);
  return [
    load(ARCHITECTURE),
    when('equal', AUDIT[architecture], 'ours'),
    // Another architecture's calls have other numbers.
    decide(KILL_PROCESS),
    label('ours'),
    load(NUMBER),
    // So are those of x32, which begin at 2^30.
    when('above', LAST_CALL, 'missing'),
    ...numbers.map((number) => when('equal', number, 'refused')),
    // Its flags lie in memory, where no filter can see them; libraries fall back on clone.
    to('clone3', 'missing'),
    to('clone', 'clone'),
    to('unshare', 'unshare'),
    to('socket', 'socket'),
    to('personality', 'personality'),
    jump('allowed'),
    label('clone'),
    load(FIRST_ARGUMENT),
    when('anyBit', NAMESPACES, 'refused'),
    jump('allowed'),
    label('unshare'),
    load(FIRST_ARGUMENT),
    when('anyBit', UNSHARED, 'refused'),
    jump('allowed'),
    label('socket'),
    load(FIRST_ARGUMENT),
    ...FAMILIES.map((family) => when('equal', family, 'allowed')),
    decide(EAFNOSUPPORT),
    label('personality'),
    load(FIRST_ARGUMENT),
    ...PERSONALITIES.map((personality) => when('equal', personality, 'allowed')),
    label('refused'),
    decide(EPERM),
    label('missing'),
    decide(ENOSYS),
    label('allowed'),
    decide(ALLOW),
  ];
}

const label = (name: string): Statement => ({ kind: 'label', name });
const load = (offset: number): Statement => ({ kind: 'load', offset });
const when = (kind: 'equal' | 'above' | 'anyBit', value: number, to: string): Statement => ({
  kind,
  value,
  to,
});
const jump = (to: string): Statement => ({ kind: 'goto', to });
const decide = (value: number): Statement => ({ kind: 'return', value });

/**
 * System calls by number. Those that are refused are what Docker's default profile keeps from containers without
 * capabilities (docs.docker.com/engine/security/seccomp), without those on the memory policy of a process's own, and
 * what kernels have got since of the same kinds. Numbers: asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64).
 */

export type Architecture = 'x64' | 'arm64';

/** Null: that architecture has none. */
type Numbers<N = number | null> = { readonly [architecture in Architecture]: N };

const call = <N>(x64: number, arm64: N): Numbers<number | N> => ({ x64, arm64 });
const onBoth = (number: number): Numbers<number> => call(number, number);

/** The last that is known here; a newer one is answered as by a kernel that doesn't have it yet. */
export const LAST_CALL = 469;

export const REFUSED_CALLS: Readonly<Record<string, Numbers>> = {
  // Mounts, and what is above a directory.
  mount: call(165, 40),
  umount2: call(166, 39),
  pivot_root: call(155, 41),
  open_tree: onBoth(428),
  open_tree_attr: onBoth(467),
  move_mount: onBoth(429),
  fsopen: onBoth(430),
  fsconfig: onBoth(431),
  fsmount: onBoth(432),
  fspick: onBoth(433),
  mount_setattr: onBoth(442),
  name_to_handle_at: call(303, 264),
  open_by_handle_at: call(304, 265),
  quotactl: call(179, 60),
  quotactl_fd: onBoth(443),
  fanotify_init: call(300, 262),
  // Other processes.
  ptrace: call(101, 117),
  process_vm_readv: call(310, 270),
  process_vm_writev: call(311, 271),
  process_madvise: onBoth(440),
  process_mrelease: onBoth(448),
  pidfd_getfd: onBoth(438),
  kcmp: call(312, 272),
  migrate_pages: call(256, 238),
  move_pages: call(279, 239),
  setns: call(308, 268),
  // Keys of the kernel.
  add_key: call(248, 217),
  request_key: call(249, 218),
  keyctl: call(250, 219),
  // Code in the kernel, and what watches it.
  bpf: call(321, 280),
  perf_event_open: call(298, 241),
  init_module: call(175, 105),
  finit_module: call(313, 273),
  delete_module: call(176, 106),
  create_module: call(174, null),
  get_kernel_syms: call(177, null),
  query_module: call(178, null),
  kexec_load: call(246, 104),
  kexec_file_load: call(320, 294),
  lookup_dcookie: call(212, 18),
  syslog: call(103, 116),
  // Ways around what guards memory and input and output.
  userfaultfd: call(323, 282),
  memfd_secret: onBoth(447),
  io_uring_setup: onBoth(425),
  io_uring_enter: onBoth(426),
  io_uring_register: onBoth(427),
  modify_ldt: call(154, null),
  ioperm: call(173, null),
  iopl: call(172, null),
  lsm_set_self_attr: onBoth(460),
  // The machine.
  reboot: call(169, 142),
  swapon: call(167, 224),
  swapoff: call(168, 225),
  acct: call(163, 89),
  clock_adjtime: call(305, 266),
  clock_settime: call(227, 112),
  settimeofday: call(164, 170),
  vhangup: call(153, 58),
  // Of kernels long ago.
  nfsservctl: call(180, 42),
  _sysctl: call(156, null),
  sysfs: call(139, null),
  uselib: call(134, null),
  ustat: call(136, null),
};

/** Judged by their arguments, or answered as missing. */
export const JUDGED_CALLS = {
  clone: call(56, 220),
  clone3: onBoth(435),
  unshare: call(272, 97),
  socket: call(41, 198),
  personality: call(135, 92),
} as const satisfies Readonly<Record<string, Numbers<number>>>;

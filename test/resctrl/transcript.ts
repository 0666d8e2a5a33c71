/**
 * Recorded sessions with the resctrl filesystem of a real kernel, read line by line. Every line must be understood:
 * a transcript that this parser doesn't know entirely is refused.
 */
export type TranscriptStep = { readonly line: number; readonly text: string } & StepKind;

type StepKind =
  | { readonly kind: 'header'; readonly vendor: 'intel' | 'amd'; readonly options: readonly string[] }
  | { readonly kind: 'flags'; readonly flags: readonly string[] }
  | { readonly kind: 'filesystems'; readonly listed: string }
  | { readonly kind: 'before-mount'; readonly files: number }
  | { readonly kind: 'mounted'; readonly mount: string }
  | {
      readonly kind: 'cache';
      readonly cpu: number;
      readonly id: number;
      readonly shared: string;
      readonly sizeKib: number;
      readonly ways: number;
    }
  | { readonly kind: 'permissions'; readonly permissions: string; readonly name: string }
  /** `content` is null where the file is absent; `exact` is false where only the first line was recorded. */
  | {
      readonly kind: 'content';
      readonly path: string;
      readonly content: string | null;
      readonly exact: boolean;
    }
  | {
      readonly kind: 'command';
      readonly verb: 'mkdir' | 'rmdir' | 'rename' | 'creat' | 'unlink' | 'write';
      readonly path: string;
      readonly argument: string;
      readonly result: string;
      readonly last: string;
    }
  | { readonly kind: 'files'; readonly names: readonly string[] }
  | { readonly kind: 'writer-ended' }
  | { readonly kind: 'child'; readonly path: string; readonly count: number }
  | { readonly kind: 'thread'; readonly role: 'main' | 'thread'; readonly tid: number }
  | { readonly kind: 'whereabouts'; readonly tid: number; readonly inRoot: number; readonly inGroup: number }
  | { readonly kind: 'proc-groups'; readonly control: string; readonly monitor: string }
  | { readonly kind: 'flock'; readonly first: string; readonly second: string }
  | { readonly kind: 'back-in-root'; readonly count: number }
  | {
      readonly kind: 'fill';
      readonly what: 'control' | 'monitor';
      /** Groups made in all: g2 to g`last`, or r1 to r`last`. */
      readonly made: number;
      readonly next: string;
      readonly result: string;
      /** Cut off after some characters where `lastIsWhole` is false. */
      readonly last: string;
      readonly lastIsWhole: boolean;
    }
  | { readonly kind: 'remounted'; readonly groups: number };

type Rule = readonly [RegExp, (...groups: string[]) => StepKind];

const RULES: readonly Rule[] = [
  [
    /^### kernel \S+ vendor_id:(\S+) mount options=\[(.*)\]$/,
    (vendor, options) => ({
      kind: 'header',
      vendor: vendor === 'AuthenticAMD' ? 'amd' : 'intel',
      options: options === '' ? [] : (options ?? '').split(','),
    }),
  ],
  [/^cpuinfo flags: (.*)$/, (flags = '') => ({ kind: 'flags', flags: flags.trim().split(' ') })],
  [/^filesystems: (.*)$/, (listed = '') => ({ kind: 'filesystems', listed })],
  [
    /^before mount: files in \/sys\/fs\/resctrl: (\d+)$/,
    (files) => ({ kind: 'before-mount', files: Number(files) }),
  ],
  [/^mounted: (.*)$/, (mount = '') => ({ kind: 'mounted', mount })],
  [
    /^cpu(\d+) index3: id=(\d+) shared_cpu_list=(\S+) size=(\d+)K ways=(\d+)$/,
    (cpu, id, shared = '', size, ways) => ({
      kind: 'cache',
      cpu: Number(cpu),
      id: Number(id),
      shared,
      sizeKib: Number(size),
      ways: Number(ways),
    }),
  ],
  [/^([d-][rwx-]{9}) (\S+)$/, (permissions = '', name = '') => ({ kind: 'permissions', permissions, name })],
  [/^ {2}files: (.*)$/, (names = '') => ({ kind: 'files', names: names.trim().split(' ') })],
  [/^ {2}\(0 = the writer: it has exited, so nothing stays\)$/, () => ({ kind: 'writer-ended' })],
  [
    /^ {2}a child forked after its parent was moved: in (\S+): (\d+)$/,
    (path = '', count) => ({ kind: 'child', path, count: Number(count) }),
  ],
  [/^ main tid=(\d+)$/, (tid) => ({ kind: 'thread', role: 'main', tid: Number(tid) })],
  [/^ thread tid=(\d+)$/, (tid) => ({ kind: 'thread', role: 'thread', tid: Number(tid) })],
  [
    /^ {2}tid (\d+) in root: (\d+) in g1: (\d+)$/,
    (tid, root, group) => ({
      kind: 'whereabouts',
      tid: Number(tid),
      inRoot: Number(root),
      inGroup: Number(group),
    }),
  ],
  [
    /^ {2}\/proc\/PID\/cpu_resctrl_groups: res:(\S*) mon:(\S*) $/,
    (control = '', monitor = '') => ({ kind: 'proc-groups', control, monitor }),
  ],
  [/^ {2}its task is back in root: (\d+)$/, (count) => ({ kind: 'back-in-root', count: Number(count) })],
  [
    /^ {2}(?:\/sys\/fs\/resctrl\/)?(\S+): "(.*)"$/,
    (path = '', content = '') => ({ kind: 'content', path, content: unquote(content), exact: true }),
  ],
  [/^ {2}(\S+): absent$/, (path = '') => ({ kind: 'content', path, content: null, exact: true })],
  [
    /^ {2}(\S+\/mon_data\/\S+): (\S+)$/,
    (path = '', value = '') => ({ kind: 'content', path, content: `${value}\n`, exact: false }),
  ],
  [
    /^write (\S+) <- "(.*)" => (\S+) last=\[(.*)\]$/,
    (path = '', text = '', result = '', last = '') => ({
      kind: 'command',
      verb: 'write',
      path,
      argument: unquote(text),
      result,
      last,
    }),
  ],
  [
    /^(mkdir|rmdir|rename|creat|unlink) (.+) => (\S+) last=\[(.*)\]$/,
    (verb, names = '', result = '', last = '') => {
      const [path = '', argument = ''] = verb === 'rename' ? names.split(' ') : [names];
      return { kind: 'command', verb: verb as 'mkdir', path, argument, result, last };
    },
  ],
  [
    /^flock\(LOCK_EX\) root => (\S+); second holder LOCK_NB => (\S+)$/,
    (first = '', second = '') => ({ kind: 'flock', first, second }),
  ],
  [
    /^groups beside root: g2\.\.g(\d+); the next: mkdir (\S+) => (\S+) last=\[(.*)\]$/,
    (made, next = '', result = '', last = '') => ({
      kind: 'fill',
      what: 'control',
      made: Number(made),
      next,
      result,
      last,
      lastIsWhole: true,
    }),
  ],
  [
    /^mon_groups made: (\d+); the next: mkdir (\S+) => (\S+) last=\[(.*?)(\]?)$/,
    (made, next = '', result = '', last = '', end) => ({
      kind: 'fill',
      what: 'monitor',
      made: Number(made),
      next,
      result,
      last,
      lastIsWhole: end === ']',
    }),
  ],
  [/^after umount and mount: (\d+) groups$/, (groups) => ({ kind: 'remounted', groups: Number(groups) })],
];

/** @throws Error naming the first line that isn't understood */
export function parseTranscript(text: string): TranscriptStep[] {
  const lines = text.replace(/\n$/, '').split('\n');
  return lines.map((line, index) => {
    for (const [pattern, read] of RULES) {
      const match = pattern.exec(line);
      if (match !== null) return { line: index + 1, text: line, ...read(...match.slice(1)) };
    }
    throw new Error(`line ${index + 1} of the transcript isn't understood: ${JSON.stringify(line)}`);
  });
}

function unquote(text: string): string {
  return text.replaceAll('\\n', '\n');
}

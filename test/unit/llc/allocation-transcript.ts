/** Runs transcripts of the way allocator: commands, `----`, and what they did to the drawn ways. */
import { giveBack, largestLoan, lend, openWays, promote } from '../../../node/llc/allocation/allocator.ts';
import { openDomain } from '../../../node/llc/allocation/domain.ts';
import { rebase } from '../../../node/llc/allocation/rebase.ts';
import { type Span, spanMask } from '../../../node/llc/allocation/spans.ts';
import { DEFAULT_POOL_LIMITS, type Step, type WayState } from '../../../node/llc/allocation/types.ts';
import { formatMask, fullMask } from '../../../node/llc/masks.ts';
import { drawIo, drawWays } from './draw-ways.ts';

/** Blocks are separated by an empty line; a comment begins with `#`. */
export function runTranscript(text: string): string {
  let state = openWays(16, []);
  const blocks = text.trimEnd().split(/\n\n+/);
  const played = blocks.map((block) => {
    const input = (block.split('\n----')[0] ?? '').split('\n');
    const commands = input.filter((line) => line !== '' && !line.startsWith('#'));
    if (commands.length === 0) return block;
    const output: string[] = [];
    for (const command of commands) {
      const result = run(state, command);
      state = result.state;
      output.push(...result.lines);
    }
    return [...input, '----', ...output, ...draw(state)].join('\n');
  });
  return `${played.join('\n\n')}\n`;
}

function run(state: WayState, command: string): { state: WayState; lines: string[] } {
  const [verb = '', ...words] = command.split(/\s+/);
  const flags = new Map(
    words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]),
  );
  const names = words.filter((word) => !word.includes('='));
  const number = (name: string, otherwise: number) => Number(flags.get(name) ?? otherwise);
  if (verb === 'machine') {
    const ways = number('ways', 16);
    const domains = (flags.get('domains') ?? '0').split(',').map((id) =>
      openDomain({
        id: Number(id),
        ways,
        minBits: number('min', 1),
        ioMask: Number.parseInt(flags.get('io') ?? '0', 16),
        foreignMask: Number.parseInt(flags.get('foreign') ?? '0', 16),
        rootMask: fullMask(ways),
        reserveWays: number('reserve', 2),
      }),
    );
    const limits = { ...DEFAULT_POOL_LIMITS, minWays: number('pool-min', 1) };
    return { state: openWays(number('closids', 15), domains, limits), lines: [] };
  }
  if (verb === 'lend') {
    const [id = '', ways = ''] = names;
    const sensitive = !names.includes('insensitive');
    const answer = lend(state, { id, ways: Number(ways), domain: number('domain', 0), sensitive });
    if (!answer.ok) return { state, lines: [`refused ${answer.error.code}: ${answer.error.message}`] };
    return { state: answer.value.state, lines: answer.value.steps.map(describe) };
  }
  if (verb === 'give') {
    const plan = giveBack(state, names[0] ?? '');
    const lines = plan.steps.map(describe);
    let next = plan.state;
    for (let up = promote(next); up !== null; up = promote(next)) {
      lines.push(`${up.id} is moved up`, ...up.steps.map(describe));
      next = up.state;
    }
    return { state: next, lines };
  }
  if (verb === 'foreign') {
    const masks = new Map([[number('domain', 0), Number.parseInt(names[0] ?? '0', 16)]]);
    const plan = rebase(state, number('closids', state.closids), masks);
    return {
      state: plan.state,
      lines: [...plan.steps.map(describe), ...plan.lost.map((id) => `${id} is lost`)],
    };
  }
  throw new Error(`no command "${command}"`);
}

function describe({ domain, holder, from, to }: Step): string {
  const hex = (span: Span | null) => (span === null ? '-' : formatMask(spanMask(span)));
  return `domain ${domain}: ${holder ?? 'pool'} ${hex(from)} -> ${hex(to)}`;
}

function draw(state: WayState): string[] {
  return state.domains.flatMap((domain) => {
    const members = domain.members.map(({ id, waiting }) => (waiting ? `${id}?` : id));
    const pool = members.length > 0 ? `  pool: ${members.join(' ')}` : '';
    const io = drawIo(domain.ways, domain.ioMask);
    return [
      `${domain.id} ${drawWays(domain, (id) => id[0] ?? '?')}  largest loan ${largestLoan(state, domain.id)}${pool}`,
      ...(io.trim() === '' ? [] : [`${' '.repeat(`${domain.id} `.length)}${io}`.trimEnd()]),
    ];
  });
}

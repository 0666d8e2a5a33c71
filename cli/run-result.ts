/** The end of a run, as the commands that wait for one show it. */
import type { ResultJson } from '../node/rest/schemas/runs.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { formatBytes, formatSeconds, plural } from './format.ts';
import { note, passOn } from './output.ts';

/** Passes the program's output on and sums the run up on standard error. */
export function showResult(result: ResultJson, mode: string | null): void {
  passOn(process.stdout)(result.stdout);
  passOn(process.stderr)(result.stderr);
  for (const [stream, truncated] of [
    ['standard output', result.stdout_truncated],
    ['standard error', result.stderr_truncated],
  ] as const) {
    if (truncated) note(`${stream} was cut: the program wrote more than the node keeps`);
  }
  const seconds = result.execution_time.secs + result.execution_time.nanos / 1e9;
  const facts = [
    result.exit_status === null ? '' : `exit ${result.exit_status}`,
    seconds === 0 ? '' : formatSeconds(seconds),
    plural(result.ways, 'way'),
    mode ?? '',
    result.enforcement ?? '',
    describeOccupancy(result),
    result.node === null ? '' : `on …${result.node.slice(-8)}`,
    result.attempts > 1 ? `attempt ${result.attempts}` : '',
  ];
  note(`run ${result.id} ${result.state}: ${facts.filter((fact) => fact !== '').join(', ')}`);
  if (result.choice !== null) note(describeChoice(result.choice));
  if (result.error !== null) note(result.error);
}

/** In one line why a run wanted so many ways. */
export function describeChoice(choice: NonNullable<ResultJson['choice']>): string {
  const { needed, ways, expected_slowdown, at_most, max_slowdown, model, model_version } = choice;
  const wanted = ways === needed ? plural(ways, 'way') : `${plural(ways, 'way')} (${needed} needed)`;
  const by = model_version === null ? model : `${model} v${model_version}`;
  return `${wanted} for ${max_slowdown.toFixed(2)}x: ${expected_slowdown.toFixed(2)}x expected, ${at_most.toFixed(2)}x at most, by ${by}`;
}

/** Empty where nothing was counted. */
function describeOccupancy({ cache_use: use }: ResultJson): string {
  const peak = use?.occupancy_bytes?.peak;
  return peak === undefined ? '' : `${formatBytes(peak)} of cache at most`;
}

/** 0 after success, 7 after the time limit, 1 after any other end. */
export function exitCodeOfRun(state: string): ExitCode {
  if (state === 'succeeded') return EXIT.OK;
  return state === 'timed_out' ? EXIT.TIMED_OUT : EXIT.FAILED;
}

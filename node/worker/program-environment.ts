/** The environment of a program: these variables and no others. Pure. */
import type { LaunchOrder } from './launcher.ts';

/** Linux takes no environment variable above 128 KiB (MAX_ARG_STRLEN, execve(2)). */
const MAX_PARAMETERS_VARIABLE_BYTES = 100 * 1024;

export function programEnvironment(
  order: LaunchOrder,
  own: { readonly directory: string; readonly searchPath: string; readonly lang: string },
): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: own.searchPath,
    HOME: own.directory,
    TMPDIR: own.directory,
    LANG: own.lang,
    FSCHED_RUN_ID: order.runId,
    FSCHED_ATTEMPT: String(order.attempt),
    FSCHED_TASK_ID: order.taskId,
    FSCHED_INPUT_SIZE: String(order.inputSize),
  };
  const { parameters } = order;
  if (parameters !== null && Buffer.byteLength(parameters) <= MAX_PARAMETERS_VARIABLE_BYTES) {
    environment.FSCHED_PARAMETERS = parameters;
  }
  return environment;
}

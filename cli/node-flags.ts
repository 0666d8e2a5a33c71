/** The options of a node as flags of a command. */
import { type Command, Option } from 'commander';
import { NODE_OPTIONS, type NodeOption } from '../node/config/options.ts';

export function addNodeOptions(command: Command): Command {
  for (const option of NODE_OPTIONS) command.addOption(toFlag(option));
  return command.option('--config <FILE>', 'JSON file with any of these options');
}

/** Defaults are told, not set: `loadConfig` has to know which flags were given. */
function toFlag(option: NodeOption): Option {
  const help = option.default === null ? option.help : `${option.help} (default: ${option.default})`;
  const value = option.bare === null ? `<${option.value}>` : `[${option.value}]`;
  const flag = new Option(`${option.flag} ${value}`, help);
  if (option.bare !== null) flag.preset(option.bare);
  return option.repeats
    ? flag.argParser((given: string, before: readonly string[] = []) => [...before, given])
    : flag;
}

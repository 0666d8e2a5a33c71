/**
 * Gathers a node's configuration: flags win over environment over file over defaults. The result is
 * validated, whole and frozen; what is wrong is told in a sentence that says what to write, and where.
 */
import { dirname, resolve } from 'node:path';
import { readSmallFile } from '../small-file.ts';
import { defaultsOf, type Environment, type Host, type NodeConfig } from './config.ts';
import { NODE_OPTIONS, type NodeOption } from './options.ts';

export type ConfigErrorCode = 'FILE_UNREADABLE' | 'FILE_NOT_JSON' | 'UNKNOWN_KEY' | 'BAD_VALUE' | 'CONFLICT';

/** `message` is for the person who wrote the configuration. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  constructor(code: ConfigErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface ConfigSources {
  /** By key of `NodeConfig`, as written on the command line; `config` names the file. */
  readonly flags: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly environment: Environment;
  readonly workingDirectory: string;
  readonly host: Host;
}

interface Written {
  readonly value: unknown;
  /** The place as a person knows it: `--rest`, `FSCHED_REST`, `"rest" in FILE`. */
  readonly place: string;
  /** What relative paths are relative to. */
  readonly base: string;
}

export async function loadConfig(sources: ConfigSources): Promise<NodeConfig> {
  const { flags, environment, workingDirectory, host } = sources;
  const configFile = flags.config ?? (environment.FSCHED_CONFIG || undefined);
  const file =
    typeof configFile === 'string' ? await readConfigFile(resolve(workingDirectory, configFile)) : null;

  const config: Record<string, unknown> = { ...defaultsOf(environment, host) };
  for (const option of NODE_OPTIONS) {
    const written = find(option, sources, file);
    if (written !== null) config[option.key] = await parse(option, written, host);
  }
  return checkTogether(deepFreeze(config as unknown as NodeConfig));
}

/** Variables of the CLI, and those that a node gives its programs: a node may well be started by one. */
const OTHER_VARIABLES: readonly string[] = [
  'FSCHED_API',
  'FSCHED_API_TOKEN',
  'FSCHED_ATTEMPT',
  'FSCHED_CA_FILE',
  'FSCHED_CONFIG',
  'FSCHED_DEBUG',
  'FSCHED_INPUT_SIZE',
  'FSCHED_PARAMETERS',
  'FSCHED_RUN_ID',
  'FSCHED_SECRETS_DIR',
  'FSCHED_TASK_ID',
];

/** Variables that look like ours and say nothing to a node, each with the one that was perhaps meant. */
export function unknownVariables(
  environment: Environment,
): readonly { readonly variable: string; readonly meant: string }[] {
  const options = NODE_OPTIONS.map(({ variable }) => variable);
  const known = [...options, ...OTHER_VARIABLES];
  return Object.keys(environment)
    .filter((variable) => variable.startsWith('FSCHED_') && !known.includes(variable))
    .map((variable) => ({ variable, meant: nearest(variable, [...options, 'FSCHED_CONFIG']) }));
}

/** The value that wins; an empty environment variable counts as unset. */
function find(option: NodeOption, sources: ConfigSources, file: ConfigFile | null): Written | null {
  const { flags, environment, workingDirectory } = sources;
  const flag = flags[option.key];
  if (flag !== undefined) return { value: flag, place: option.flag, base: workingDirectory };
  const variable = environment[option.variable];
  if (variable) return { value: variable, place: option.variable, base: workingDirectory };
  const entry = file?.entries[option.key];
  if (file === null || entry === undefined || entry === null) return null;
  return { value: entry, place: `"${option.key}" in ${file.path}`, base: dirname(file.path) };
}

async function parse(option: NodeOption, written: Written, host: Host): Promise<unknown> {
  const parsed = await option.parse(written.value, host);
  if (!parsed.ok) throw new ConfigError('BAD_VALUE', `${written.place}: ${parsed.error}`);
  return option.isPath && typeof parsed.value === 'string'
    ? resolve(written.base, parsed.value)
    : parsed.value;
}

interface ConfigFile {
  readonly path: string;
  readonly entries: Readonly<Record<string, unknown>>;
}

async function readConfigFile(path: string): Promise<ConfigFile> {
  const text = await readSmallFile(path).catch((cause: Error) => {
    const message = `the configuration file can't be read: ${cause.message}`;
    throw new ConfigError('FILE_UNREADABLE', message, { cause });
  });
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError('FILE_NOT_JSON', `${path} isn't JSON: ${why}`, { cause });
  }
  if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) {
    throw new ConfigError('FILE_NOT_JSON', `${path}: write a JSON object such as {"rest": "127.0.0.1:8200"}`);
  }
  const keys: readonly string[] = NODE_OPTIONS.map((option) => option.key);
  const unknown = Object.keys(entries).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    const message = `${path}: there is no option "${unknown}"; did you mean "${nearest(unknown, keys)}"?`;
    throw new ConfigError('UNKNOWN_KEY', message);
  }
  return { path, entries: { ...entries } };
}

/** What no option can check alone. */
function checkTogether(config: NodeConfig): NodeConfig {
  if ((config.tlsCert === null) !== (config.tlsKey === null)) {
    const [given, missing] =
      config.tlsKey === null ? ['--tls-cert', '--tls-key'] : ['--tls-key', '--tls-cert'];
    throw new ConfigError('CONFLICT', `${given} needs ${missing} beside it: a certificate and its key`);
  }
  if (config.electionTimeoutMs < 3 * config.heartbeatMs) {
    const advice = `write at least three heartbeats (${3 * config.heartbeatMs} ms)`;
    const message = `an election timeout of ${config.electionTimeoutMs} ms takes every lost heartbeat for a dead master`;
    throw new ConfigError('CONFLICT', `${message}: ${advice}`);
  }
  return config;
}

/** The candidate with the smallest edit distance, case aside. */
function nearest(word: string, candidates: readonly string[]): string {
  const distances = candidates.map((candidate) => editDistance(word.toLowerCase(), candidate.toLowerCase()));
  return candidates[distances.indexOf(Math.min(...distances))] ?? '';
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}

/** Commands as the bytes of log entries: JSON in UTF-8, because the tables are JSON-safe and humans read dumps. */
import type { Command } from './types.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** One entry for every command: a type that is missing here does not compile. */
const COMMAND_TYPES: Readonly<Record<Command['type'], true>> = {
  'member-put': true,
  'member-remove': true,
  'task-create': true,
  'profile-put': true,
  'run-create': true,
  'run-assign': true,
  'run-start': true,
  'run-finish': true,
  'run-requeue': true,
  'run-cancel': true,
  'model-put': true,
  'model-drop': true,
  'model-select': true,
};

export function encodeCommand(command: Command): Uint8Array {
  return encoder.encode(JSON.stringify(command));
}

/**
 * Null for bytes that are no command of this version. Every node then refuses the entry alike, so a
 * newer proposer cannot make older nodes diverge. The fields are trusted: only members can propose.
 */
export function decodeCommand(data: Uint8Array): Command | null {
  try {
    const value: unknown = JSON.parse(decoder.decode(data));
    if (typeof value !== 'object' || value === null || !('type' in value)) return null;
    return typeof value.type === 'string' && Object.hasOwn(COMMAND_TYPES, value.type)
      ? (value as Command)
      : null;
  } catch {
    return null;
  }
}

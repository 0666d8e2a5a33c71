/** Shows any JSON value as indented lines: what a node says of itself may grow without this program knowing. */
import { printable } from './display-width.ts';

export function describeView(value: unknown, indent = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return [indent + printable(String(value))];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${indent}none`];
  return entries.flatMap(([key, part]) => {
    const name = printable(Array.isArray(value) ? '-' : key.replaceAll('_', ' '));
    if (typeof part !== 'object' || part === null)
      return [`${indent}${name}${Array.isArray(value) ? '' : ':'} ${printable(String(part ?? 'none'))}`];
    if (isShortList(part))
      return [`${indent}${name}: ${part.map(String).map(printable).join(', ') || 'none'}`];
    return [`${indent}${name}${Array.isArray(value) ? '' : ':'}`, ...describeView(part, `${indent}  `)];
  });
}

function isShortList(value: object): value is readonly (string | number | boolean)[] {
  return (
    Array.isArray(value) &&
    value.every((part) => typeof part !== 'object') &&
    value.map(String).join(', ').length < 60
  );
}

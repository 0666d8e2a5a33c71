/** What the emulated filesystem is made of. */
import type { Errno } from '../resctrl/port.ts';

export interface FileNode {
  read(): string | Promise<string>;
  /** The error that write(2) gives, or null. Absent where the file may only be read. */
  readonly write?: (text: string) => Errno | null | Promise<Errno | null>;
}

export interface Directory {
  entries(): Entries;
  /** What mkdir(2) in it does; absent where it is not permitted. */
  readonly make?: (name: string) => Errno | null;
  /** What rmdir(2) of it does; absent where it is not permitted. */
  readonly remove?: () => Promise<Errno | null>;
}

export type Node = FileNode | Directory;
/** Made when they are asked for. */
export type Entries = Map<string, () => Node>;

export const isDirectory = (node: Node): node is Directory => 'entries' in node;

/** Follows `names` down from `root`. */
export function resolve(root: Directory, names: readonly string[]): Node | 'ENOENT' | 'ENOTDIR' {
  let node: Node = root;
  for (const name of names) {
    if (!isDirectory(node)) return 'ENOTDIR';
    const make = node.entries().get(name);
    if (make === undefined) return 'ENOENT';
    node = make();
  }
  return node;
}

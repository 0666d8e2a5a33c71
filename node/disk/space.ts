/** What is free on a file system (statfs(2)), and the errors of one that is full. */
import { statfs } from 'node:fs/promises';

export interface DiskSpace {
  readonly sizeBytes: number;
  /** For a user without privileges: some file systems keep a part for root. */
  readonly freeBytes: number;
  /** Files that there can be; 0 where that isn't bounded. */
  readonly files: number;
  readonly freeFiles: number;
}

/** Null where it can't be told. */
export type ReadSpace = (path: string) => Promise<DiskSpace | null>;

export const readSpace: ReadSpace = async (path) => {
  const found = await statfs(path).catch(() => null);
  if (found === null || found.blocks === 0) return null;
  const { bsize, blocks, bavail, files, ffree } = found;
  return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize, files, freeFiles: ffree };
};

/** Whether a system call failed because the disk, or a quota on it, is used up. */
export const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');

export const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`;

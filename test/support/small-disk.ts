/** A disk that is soon full: a file system in memory, which only root can mount. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk implements Disposable {
  readonly path: string;

  /** @param files that there can be. @default far more than there is room for */
  constructor(bytes: number, files: number | null = null) {
    this.path = mkdtempSync(join(tmpdir(), 'fsched-disk-'));
    mount(this.path, `size=${bytes},mode=0755${files === null ? '' : `,nr_inodes=${files}`}`);
  }

  /** Until there is no room for another byte, and no other file where these are limited. */
  fill(): void {
    for (let size = 1024 ** 2; size > 0; size >>= 1) {
      while (succeeds(() => appendFileSync(join(this.path, 'filler'), Buffer.alloc(size, 1))));
    }
    for (let number = 0; number < MOST_FILES; number += 1)
      if (!succeeds(() => writeFileSync(join(this.path, `filler-${number}`), ''))) return;
  }

  [Symbol.dispose](): void {
    // Lazily: what still stands in there must not leave it mounted.
    spawnSync('umount', ['-l', this.path]);
    rmdirSync(this.path);
  }
}

/** Where they aren't limited. */
const MOST_FILES = 100;

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

function mount(path: string, options: string): void {
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'fsched-test', path], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`no small disk could be mounted: ${stderr}`);
}

/** Why there can be none here, or false. */
export const NO_SMALL_DISK: string | false = (() => {
  try {
    new SmallDisk(1024 ** 2)[Symbol.dispose]();
    return false;
  } catch {
    return 'only root, where it may mount, can make a small disk';
  }
})();

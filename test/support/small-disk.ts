/** A disk that is soon full: a file system in memory, which only root can mount. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk implements Disposable {
  readonly path: string;

  constructor(bytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'fsched-disk-'));
    mount(this.path, bytes);
  }

  [Symbol.dispose](): void {
    // Lazily: what still stands in there must not leave it mounted.
    spawnSync('umount', ['-l', this.path]);
    rmdirSync(this.path);
  }
}

function mount(path: string, bytes: number): void {
  const options = `size=${bytes},mode=0755`;
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

/**
 * Removes what programs leave. A program owns its directory, and another one of its user may go on working in it: so
 * nothing in there is reached by a path that it could bend, and what is more than a few files is removed with its
 * owner's rights, never with root's.
 */
import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, lstat, open, opendir, rmdir, unlink } from 'node:fs/promises';
import { actAs } from './act-as.ts';

/** As many files are removed here; a process for more costs less than so many calls. */
const FEW = 64;
/** Whoever wrote into it should be dead: it is only a matter of time, unless somebody stops the process. */
const CHILD_LIMIT_MS = 120_000;

/**
 * Like `rm -rf`, for a path whose parent no program may write. Symbolic links are not followed. Missing permissions
 * are changed, names of any depth are reached.
 * @throws when something is left
 */
export async function removeTree(path: string): Promise<void> {
  const found = await lstat(path).catch(nullIfGone);
  if (found === null) return;
  if (!found.isDirectory()) return void (await unlink(path).catch(nullIfGone));
  const isGone =
    (await removeFew(path)) &&
    (await rmdir(path)
      .then(() => true)
      .catch(() => false));
  if (isGone) return;
  await removeAsOwner(path, found);
  await rmdir(path).catch(nullIfGone);
}

/** True when nothing is left: a few files and no directories were all. */
async function removeFew(path: string): Promise<boolean> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  let folder: FileHandle;
  try {
    folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return false;
  }
  try {
    // By its descriptor: what has the name of a file now is removed itself, whatever it was a moment ago.
    const inside = `/proc/self/fd/${folder.fd}`;
    let left = FEW;
    for await (const entry of await opendir(inside)) {
      if (entry.isDirectory() || left-- === 0) return false;
      await unlink(`${inside}/${entry.name}`);
    }
    return true;
  } catch {
    return false;
  } finally {
    await folder.close();
  }
}

async function removeAsOwner(path: string, { uid, gid }: Stats): Promise<void> {
  await chmod(path, 0o700);
  const user = process.geteuid?.() === 0 && uid !== 0 ? { uid, gid } : null;
  // Below the working directory of the process, because its user may not be able to pass through to it.
  const run = async (...words: [string, ...string[]]): Promise<boolean> => {
    const code = await actAs(user, words, { cwd: path, timeoutMs: CHILD_LIMIT_MS });
    // Whoever stops or kills one does so to the next.
    if (code === null) throw new Error(`${words[0]} could not finish its work in ${path}`);
    return code === 0;
  };
  const remove = () => run('find', '.', '-mindepth', '1', '-delete');
  if (await remove()) return;
  await run('chmod', '-R', 'u+rwx', '.');
  await remove();
}

function nullIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** A program that keeps files on disk by nothing but mappings: no name, no descriptor. */
import { spawnSync } from 'node:child_process';

/** For `python3 -c`, with a name and MiB: says `mapped`, and goes on until it is killed. */
export const MAPPER = `
import ctypes, os, sys, time
name, size = sys.argv[1], int(sys.argv[2]) << 20
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
file = os.open(name, os.O_RDWR | os.O_CREAT)
os.ftruncate(file, size)
at = libc.mmap(None, size, 3, 1, file, 0)
os.close(file)
os.unlink(name)
ctypes.memset(at, 7, size)
print('mapped', flush=True)
time.sleep(1000)
`;

/** Why a mapping can't be looked into here, or false. */
export const NO_MAPPINGS: string | false = (() => {
  if (process.geteuid?.() !== 0) return 'only root is shown what a mapping is of';
  return spawnSync('python3', ['-c', 'import ctypes']).status === 0
    ? false
    : 'there is no python3 with ctypes';
})();

/**
 * Loaded before a program that the launcher started: it can't pass `kill -9` on, so the program dies when it is gone.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Waiting for that keeps nothing alive.
process.channel?.unref();

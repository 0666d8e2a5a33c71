/** What `read` gives, or null when it throws, as for a file that has gone or may not be read. */
export function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Where programs are looked for. */

/** Where systems have them. */
export const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An empty `PATH` means the working directory (POSIX, XBD 8.3), which nobody means. */
export const searchPathOf = ({ PATH }: Readonly<Record<string, string | undefined>>): string =>
  PATH || USUAL_PATH;

/** Callers on this machine who need no token: the users whom the operator trusts anyway, known by their sockets. */
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import { orNull } from '../or-null.ts';
import type { SocketOwners } from '../socket-owners.ts';

const ROOT = 0;
/** What the kernel shows of users that the daemon's user namespace doesn't know (user_namespaces(7)). */
const NOBODY_IN_PARTICULAR = 65_534;

/**
 * Root and the daemon's own user may read the daemon's token, so it would tell nothing more of them.
 * @param programsSpeakAsDaemon whether a run's program may come from the daemon's own user
 */
export function trustedUsers(own: number, programsSpeakAsDaemon: boolean): ReadonlySet<number> {
  const users = new Set([ROOT, own]);
  if (programsSpeakAsDaemon || own === NOBODY_IN_PARTICULAR) users.delete(own);
  return users;
}

export interface LocalCallersOptions {
  /** Asked at each request: how programs are isolated is known only when the worker has started. */
  readonly trusted: () => ReadonlySet<number>;
}

export class LocalCallers {
  readonly #options: LocalCallersOptions;
  readonly #owners: Pick<SocketOwners, 'ownerOf'>;
  /** A connection's owner is its owner to the end. */
  readonly #known = new WeakMap<Socket, Promise<number | null>>();

  constructor(
    options: LocalCallersOptions,
    dependencies: { readonly owners: Pick<SocketOwners, 'ownerOf'> },
  ) {
    this.#options = options;
    this.#owners = dependencies.owners;
  }

  /** Name of the trusted user at the other end; null: somebody else, or not on this machine. */
  async trusted(socket: Socket): Promise<string | null> {
    let asking = this.#known.get(socket);
    if (asking === undefined) {
      const { localAddress, localPort, remoteAddress, remotePort } = socket;
      asking = this.#owners.ownerOf(
        { address: localAddress, port: localPort },
        { address: remoteAddress, port: remotePort },
      );
      this.#known.set(socket, asking);
    }
    const owner = await asking;
    return owner !== null && this.#options.trusted().has(owner) ? nameOf(owner) : null;
  }
}

function nameOf(user: number): string {
  if (user === ROOT) return 'root';
  return (user === process.geteuid?.() ? orNull(() => userInfo().username) : null) ?? `user ${user}`;
}

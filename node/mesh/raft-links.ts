/** The outgoing links (protocols/link): one for each connected member, opened anew when it breaks. */
import type { Connection } from '@libp2p/interface';
import { LinkSender } from '../../protocols/link/client.ts';
import { FrameKind, LINK_PROTOCOL, MAX_PAYLOAD_BYTES } from '../../protocols/link/index.ts';
import { type BackOffRange, backOff } from '../back-off.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { openStream } from './open-stream.ts';

/** A member that doesn't know us yet refuses the link: soon again, then more seldom. */
const RETRY: BackOffRange = { firstMs: 50, longestMs: 2000 };

interface Link {
  sender: LinkSender;
  failures: number;
  cancelRetry: Cancel;
}

export interface RaftLinksDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connection: (id: NodeId) => Connection | null;
  /** A link is open: the moment to measure the round trip. */
  readonly onOpen: (id: NodeId) => void;
}

export class RaftLinks {
  readonly #deps: RaftLinksDependencies;
  readonly #links = new Map<NodeId, Link>();

  constructor(dependencies: RaftLinksDependencies) {
    this.#deps = dependencies;
  }

  /** Opens and keeps open a link to a connected member. */
  keep(id: NodeId): void {
    if (this.#links.has(id)) return;
    const link: Link = { sender: this.#sender(id), failures: 0, cancelRetry: () => {} };
    this.#links.set(id, link);
    void this.#open(id, link);
  }

  drop(id: NodeId): void {
    const link = this.#links.get(id);
    this.#links.delete(id);
    link?.cancelRetry();
    link?.sender.close();
  }

  stop(): void {
    for (const id of [...this.#links.keys()]) this.drop(id);
  }

  /** False when the frame was dropped. */
  send(id: NodeId, kind: FrameKind, payload: Uint8Array): boolean {
    if (kind === FrameKind.RAFT && payload.length > MAX_PAYLOAD_BYTES) {
      this.#deps.logger.error({ peer: id, bytes: payload.length }, 'consensus frame over the limit, dropped');
      return false;
    }
    return this.#links.get(id)?.sender.send(kind, payload) ?? false;
  }

  /** The peer has answered on the link: it takes our frames. */
  proved(id: NodeId): void {
    const link = this.#links.get(id);
    if (link !== undefined) link.failures = 0;
  }

  #sender(id: NodeId): LinkSender {
    const sender: LinkSender = new LinkSender({
      onBroken: () => {
        const link = this.#links.get(id);
        if (link?.sender === sender) this.#retry(id, link);
      },
    });
    return sender;
  }

  async #open(id: NodeId, link: Link): Promise<void> {
    const { sender } = link;
    const connection = this.#deps.connection(id);
    if (connection === null) return this.#retry(id, link);
    try {
      const stream = await openStream(connection, LINK_PROTOCOL, { clock: this.#deps.clock });
      if (this.#links.get(id) !== link || link.sender !== sender) {
        stream.abort(new Error('the link is not wanted any more'));
        return;
      }
      sender.attach(stream);
      if (sender.attached) this.#deps.onOpen(id);
    } catch (error) {
      this.#deps.logger.debug({ peer: id, error }, 'link not opened');
      if (this.#links.get(id) === link && link.sender === sender) this.#retry(id, link);
    }
  }

  #retry(id: NodeId, link: Link): void {
    link.sender.close();
    link.sender = this.#sender(id);
    link.cancelRetry();
    const delayMs = backOff(RETRY, link.failures++);
    link.cancelRetry = this.#deps.clock.after(delayMs, () => void this.#open(id, link));
  }
}

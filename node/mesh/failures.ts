/** Errors of streams and of libp2p, as what callers of the mesh are told. */
import type { ProofRefusal } from '../../protocols/schema/messages.ts';
import { WireError, type WireErrorCode } from '../../protocols/wire/error.ts';
import { isTokenFault, TOKEN_ADVICE } from '../token-advice.ts';
import type { JoinFailure, MeshFailure } from './types.ts';

const MESH_CODES: Readonly<Record<WireErrorCode, MeshFailure['code']>> = {
  TIMEOUT: 'TIMEOUT',
  RESET: 'REFUSED',
  ABORTED: 'STOPPED',
  // A peer that is stopping ends its streams where they are.
  CLOSED: 'UNREACHABLE',
  TRUNCATED: 'UNREACHABLE',
  MALFORMED: 'PROTOCOL',
  TOO_LARGE: 'PROTOCOL',
};

export function asMeshFailure(cause: unknown): MeshFailure {
  if (cause instanceof WireError) return { code: MESH_CODES[cause.code], message: cause.message };
  const error = asError(cause);
  switch (error.name) {
    case 'UnsupportedProtocolError':
      return { code: 'PROTOCOL', message: 'the peer runs a version that lacks this protocol' };
    case 'TooManyOutboundProtocolStreamsError':
      return { code: 'REFUSED', message: 'too many calls to this peer are under way' };
    case 'StreamResetError':
      return { code: 'REFUSED', message: 'the peer refused: it may not count this node as a member yet' };
    default:
      return { code: 'UNREACHABLE', message: error.message };
  }
}

/** What a failed dial means to who asked to join through `target`. */
export function asDialFailure(target: string, cause: unknown): JoinFailure {
  const errors = flatten(cause);
  const among = (...names: string[]) => errors.some(({ name }) => names.includes(name));
  const because = (code: JoinFailure['code'], message: string): JoinFailure => ({ code, message });
  if (errors.some(({ message }) => /dial self/i.test(message)))
    return because('SELF', `${target} is this node itself; name another one`);
  if (among('UnexpectedPeerError', 'InvalidCryptoExchangeError'))
    return because('PROTOCOL', `another node than the one with that peer id answers at ${target}`);
  if (among('EncryptionFailedError', 'MuxerUnavailableError')) {
    const advice = 'give the address of its mesh, not of its REST API';
    return because('PROTOCOL', `what answers at ${target} is no fsched node; ${advice}`);
  }
  if (among('TimeoutError', 'AbortError'))
    return because('TIMEOUT', `${target} did not answer in time; check the address and the firewall`);
  const reason = errors.at(-1)?.message ?? 'no reason given';
  const advice = 'check that a node runs there and listens beyond loopback';
  return because('UNREACHABLE', `${target} can't be reached (${reason}); ${advice}`);
}

/** What a talk that broke off after the dial means. */
export function asJoinFailure(target: string, cause: unknown): JoinFailure {
  const { code, message } = asMeshFailure(cause);
  switch (code) {
    case 'TIMEOUT':
      return { code, message: `${target} did not answer in time: ${message}` };
    case 'PROTOCOL':
      return { code, message: `${target} did not answer as this version does: ${message}` };
    default:
      return { code: 'UNREACHABLE', message: `the connection to ${target} was lost: ${message}` };
  }
}

export function forbidden(target: string): JoinFailure {
  return {
    code: 'FORBIDDEN',
    message: `${target} is an address that no member should have (loopback, of one link, multicast, or of a cloud's own services); if one has, start this node with --allow-dial and its network`,
  };
}

/** What a refused proof means to who showed it, or called in who didn't. */
export function asRefusal(target: string, code: ProofRefusal): JoinFailure {
  if (isTokenFault(code)) return { code, message: `${target} refused: ${TOKEN_ADVICE[code]}` };
  switch (code) {
    case 'BANNED':
      return banned(target);
    case 'NOT_READY':
      return { code, message: `${target} doesn't know yet what its cluster knows; ask again in a moment` };
    case 'NO_TOKEN':
      return {
        code,
        message: `${target} does not wait with a join token of this cluster; make one with: fsched token create --join, and start the node with --token-file`,
      };
    default:
      return {
        code,
        message: `${target} doesn't know this join token; make one on a member with: fsched token create --join, and name its file with --token-file`,
      };
  }
}

/** Of a node that wants to join. */
export const NO_TOKEN: JoinFailure = {
  code: 'NO_TOKEN',
  message:
    'its cluster does not count this node as a member yet, and it has no join token to ask with; make one on a member with: fsched token create --join, and start this node with --token-file',
};

/** Of a key in place of a join token. */
export const notOurs = (target: string): string =>
  `${target} doesn't know the key of this data directory as a member's; name a file with a join token with --token-file`;

export function banned(target: string): JoinFailure {
  return {
    code: 'BANNED',
    message: `${target} turns this node away: too many that are no members connect to it just now; try again in a moment`,
  };
}

function flatten(cause: unknown): Error[] {
  if (cause instanceof AggregateError) return cause.errors.flatMap(flatten);
  const error = asError(cause);
  return error.cause === undefined ? [error] : [error, ...flatten(error.cause)];
}

/** libp2p also rejects with the event that ended a stream. */
function asError(cause: unknown): Error {
  if (cause instanceof Error) return cause;
  if (!(cause instanceof Event)) return new Error(String(cause));
  return 'error' in cause && cause.error instanceof Error ? cause.error : new Error('it was closed');
}

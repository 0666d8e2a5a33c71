/** Errors of streams and of libp2p, as what callers of the mesh are told. */
import { WireError } from '../../protocols/wire/error.ts';
import type { JoinFailure, MeshFailure } from './types.ts';

export function asMeshFailure(cause: unknown): MeshFailure {
  if (cause instanceof WireError) return { code: meshCode(cause), message: cause.message };
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

function meshCode(error: WireError): MeshFailure['code'] {
  switch (error.code) {
    case 'TIMEOUT':
      return 'TIMEOUT';
    case 'RESET':
      return 'REFUSED';
    case 'ABORTED':
      return 'STOPPED';
    // A peer that is stopping ends its streams where they are.
    case 'CLOSED':
    case 'TRUNCATED':
      return 'UNREACHABLE';
    case 'MALFORMED':
    case 'TOO_LARGE':
      return 'PROTOCOL';
  }
}

/** What a failed dial means to who asked to join through `target`. */
export function asDialFailure(target: string, cause: unknown): JoinFailure {
  const errors = flatten(cause);
  const has = (test: (error: Error) => boolean) => errors.some(test);
  if (has(({ message }) => /dial self/i.test(message))) {
    return { code: 'SELF', message: `${target} is this node itself; name another one` };
  }
  if (has(({ name }) => name === 'UnexpectedPeerError' || name === 'InvalidCryptoExchangeError')) {
    return { code: 'PROTOCOL', message: `another node than the one with that peer id answers at ${target}` };
  }
  if (has(({ name }) => name === 'EncryptionFailedError' || name === 'MuxerUnavailableError')) {
    return {
      code: 'PROTOCOL',
      message: `what answers at ${target} is no fsched node; give the address of its mesh, not of its REST API`,
    };
  }
  if (has(({ name }) => name === 'TimeoutError' || name === 'AbortError')) {
    return {
      code: 'TIMEOUT',
      message: `${target} did not answer in time; check the address and the firewall`,
    };
  }
  const reason = errors.at(-1)?.message ?? 'no reason given';
  return {
    code: 'UNREACHABLE',
    message: `${target} can't be reached (${reason}); check that a node runs there and listens beyond loopback`,
  };
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

export function wrongToken(target: string): JoinFailure {
  return {
    code: 'WRONG_TOKEN',
    message: `${target} has another join token; copy the file join-token of a member's data directory to this machine and name it with --token-file`,
  };
}

export function banned(target: string): JoinFailure {
  return {
    code: 'BANNED',
    message: `${target} turns this node away: for five minutes after three wrong join tokens (correct the token and wait), or because too many strangers are connected to it`,
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

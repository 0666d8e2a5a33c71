import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { decodeMessage, enumeration, malformed } from '../wire/message.ts';
import { narrow, small, wide } from '../wire/numbers.ts';
import { ControlResponseSchema, Phase } from './control_pb.ts';
import type { ControlResponse } from './index.ts';

const phases = enumeration([
  ['running', Phase.RUNNING],
  ['reporting', Phase.REPORTING],
] as const);

export function encodeControlResponse(response: ControlResponse): Uint8Array {
  return toBinary(ControlResponseSchema, create(ControlResponseSchema, { response: wireResponse(response) }));
}

function wireResponse(
  response: ControlResponse,
): NonNullable<MessageInitShape<typeof ControlResponseSchema>['response']> {
  switch (response.type) {
    case 'ok':
      return { case: 'ok', value: {} };
    case 'not-master':
      return { case: 'notMaster', value: response.master === null ? {} : { master: response.master } };
    case 'refused':
      return { case: 'refused', value: { code: response.code, message: response.message } };
    case 'held': {
      const attempts = response.attempts.map((held) => ({
        runId: held.runId,
        attempt: small(held.attempt),
        term: wide(held.term),
        domain: small(held.domain),
        ways: small(held.ways),
        phase: phases.encode(held.phase),
      }));
      return { case: 'held', value: { attempts } };
    }
    case 'output':
      return { case: 'output', value: { bytes: response.bytes, ended: response.ended } };
  }
}

/** @throws WireError MALFORMED */
export function decodeControlResponse(bytes: Uint8Array): ControlResponse {
  const { response } = decodeMessage(ControlResponseSchema, bytes);
  switch (response.case) {
    case 'ok':
      return { type: 'ok' };
    case 'notMaster':
      return { type: 'not-master', master: response.value.master ?? null };
    case 'refused':
      return { type: 'refused', code: response.value.code, message: response.value.message };
    case 'held': {
      const attempts = response.value.attempts.map(({ runId, attempt, term, domain, ways, phase }) => ({
        runId,
        attempt,
        term: narrow(term),
        domain,
        ways,
        phase: phases.decode(phase),
      }));
      return { type: 'held', attempts };
    }
    case 'output':
      return { type: 'output', bytes: response.value.bytes, ended: response.value.ended };
    default:
      throw malformed('the response');
  }
}

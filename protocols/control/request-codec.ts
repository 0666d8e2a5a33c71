import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { decodeMessage, enumeration, malformed } from '../wire/message.ts';
import { narrow, small, wide } from '../wire/numbers.ts';
import { plainReport, wireReport } from './attempt-codec.ts';
import {
  ControlRequestSchema,
  type DispatchSchema,
  type MeasureSchema,
  OutputStream,
  Profiler,
  type Dispatch as WireDispatch,
  type Measure as WireMeasure,
} from './control_pb.ts';
import type { ControlRequest, Dispatch, Measure } from './index.ts';

const outputStreams = enumeration([
  ['stdout', OutputStream.STDOUT],
  ['stderr', OutputStream.STDERR],
] as const);

const profilers = enumeration([
  ['wallclock', Profiler.WALLCLOCK],
  ['cachegrind', Profiler.CACHEGRIND],
  ['resctrl', Profiler.RESCTRL],
] as const);

export function encodeControlRequest(request: ControlRequest): Uint8Array {
  return toBinary(ControlRequestSchema, create(ControlRequestSchema, { request: wireRequest(request) }));
}

function wireRequest(
  request: ControlRequest,
): NonNullable<MessageInitShape<typeof ControlRequestSchema>['request']> {
  switch (request.type) {
    case 'admit': {
      const { id, name, addresses } = request.member;
      return { case: 'admit', value: { id, name, addresses: [...addresses] } };
    }
    case 'started': {
      const { runId, attempt, term, atMs } = request;
      return {
        case: 'started',
        value: { runId, attempt: small(attempt), term: wide(term), atMs: wide(atMs) },
      };
    }
    case 'report':
      return { case: 'report', value: wireReport(request.report) };
    case 'dispatch':
      return { case: 'dispatch', value: wireDispatch(request.dispatch) };
    case 'cancel':
      return { case: 'cancel', value: { runId: request.runId, attempt: small(request.attempt) } };
    case 'held':
      return { case: 'held', value: {} };
    case 'output': {
      const { runId, attempt, stream, offset } = request;
      return {
        case: 'output',
        value: {
          runId,
          attempt: small(attempt),
          stream: outputStreams.encode(stream),
          offset: wide(offset),
        },
      };
    }
  }
}

/** @throws WireError MALFORMED */
export function decodeControlRequest(bytes: Uint8Array): ControlRequest {
  const { request } = decodeMessage(ControlRequestSchema, bytes);
  switch (request.case) {
    case 'admit': {
      const { id, name, addresses } = request.value;
      return { type: 'admit', member: { id, name, addresses } };
    }
    case 'started': {
      const { runId, attempt, term, atMs } = request.value;
      return { type: 'started', runId, attempt, term: narrow(term), atMs: narrow(atMs) };
    }
    case 'report':
      return { type: 'report', report: plainReport(request.value) };
    case 'dispatch':
      return { type: 'dispatch', dispatch: plainDispatch(request.value) };
    case 'cancel':
      return { type: 'cancel', runId: request.value.runId, attempt: request.value.attempt };
    case 'held':
      return { type: 'held' };
    case 'output': {
      const { runId, attempt, stream, offset } = request.value;
      return {
        type: 'output',
        runId,
        attempt,
        stream: outputStreams.decode(stream),
        offset: narrow(offset),
      };
    }
    default:
      throw malformed('the request');
  }
}

function wireDispatch(dispatch: Dispatch): MessageInitShape<typeof DispatchSchema> {
  const { parameters, measure, sensitive, ...rest } = dispatch;
  return {
    ...rest,
    attempt: small(dispatch.attempt),
    term: wide(dispatch.term),
    inputSize: wide(dispatch.inputSize),
    ...(parameters === null ? {} : { parameters }),
    timeLimitMs: wide(dispatch.timeLimitMs),
    domain: small(dispatch.domain),
    ways: small(dispatch.ways),
    ...(measure == null ? {} : { measure: wireMeasure(measure) }),
    insensitive: sensitive === false,
  };
}

function wireMeasure({ profiler, ways, wayBytes }: Measure): MessageInitShape<typeof MeasureSchema> {
  return { profiler: profilers.encode(profiler), ways: small(ways), wayBytes: wide(wayBytes) };
}

function plainDispatch(dispatch: WireDispatch): Dispatch {
  const { runId, attempt, taskId, fileName, sha256, command, parameters, domain, ways, measure } = dispatch;
  return {
    runId,
    attempt,
    term: narrow(dispatch.term),
    taskId,
    fileName,
    sha256,
    command,
    inputSize: narrow(dispatch.inputSize),
    parameters: parameters ?? null,
    timeLimitMs: narrow(dispatch.timeLimitMs),
    domain,
    ways,
    measure: measure === undefined ? null : plainMeasure(measure),
    sensitive: !dispatch.insensitive,
  };
}

function plainMeasure({ profiler, ways, wayBytes }: WireMeasure): Measure {
  return { profiler: profilers.decode(profiler), ways, wayBytes: narrow(wayBytes) };
}

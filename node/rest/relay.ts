/** One attempt to have the master answer a request: HTTP/1.1 over one byte stream, bodies streamed both ways. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { endToEndHeaders, hasBody, NOT_MASTER_HEADER } from './http-headers.ts';

export interface RelayJob {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** A stream is used up by this attempt; null: no body. */
  readonly body: Buffer | Readable | null;
  /** Set on top of the client's own headers. */
  readonly extraHeaders: OutgoingHttpHeaders;
  /** What the answerer shall know the caller by; null: by this node, which answers for it. */
  readonly authorization: string | null;
  readonly servedBy: string;
  /** Called before the first byte goes to the client: from here on the request can't be tried again. */
  readonly onAnswer: () => void;
}

/**
 * `answered`: the client has the whole answer, or a broken connection when the master was lost in its middle. `lost`:
 * nothing was sent to the client. `not-master`: likewise; the answerer isn't master. `gone`: the client hung up.
 */
export type RelayOutcome = 'answered' | 'lost' | 'not-master' | 'gone';

/** Owns `stream` and destroys it in the end, also when it throws. */
export async function relay(stream: Duplex, job: RelayJob): Promise<RelayOutcome> {
  try {
    return await exchange(stream, job);
  } finally {
    stream.destroy();
  }
}

function exchange(stream: Duplex, job: RelayJob): Promise<RelayOutcome> {
  const { request, response, body } = job;
  return new Promise((resolve) => {
    let answering = false;
    const upstream = httpRequest({
      createConnection: () => stream,
      method: request.method,
      path: request.url,
      headers: upstreamHeaders(job),
      setHost: false,
    });
    const finish = (outcome: RelayOutcome) => {
      response.off('close', onClientClose);
      if (isStream(body)) body.unpipe(upstream);
      upstream.destroy();
      resolve(outcome);
    };
    const onClientClose = () => finish(answering ? 'answered' : 'gone');
    response.once('close', onClientClose);
    // Once the answer is on its way, a write that fails (the master has stopped reading) doesn't matter any more.
    upstream.on('error', () => {
      if (!answering) finish('lost');
    });
    stream.on('error', () => {});
    upstream.once('response', (answer) => {
      answering = true;
      answer.on('error', () => {});
      // A body that was streamed can't be sent again; then the client gets this refusal as it is.
      if (answer.headers[NOT_MASTER_HEADER] !== undefined && !isStream(body)) return finish('not-master');
      job.onAnswer();
      const headers = endToEndHeaders(answer, [NOT_MASTER_HEADER]);
      try {
        response.writeHead(answer.statusCode ?? 502, { ...headers, 'fsched-served-by': job.servedBy });
      } catch {
        // Such as a status of 099. Nothing of it may be thrown here, where nobody would catch it.
        return void response.destroy();
      }
      response.flushHeaders();
      answer.pipe(response);
      // Half an answer must not look like a whole one.
      answer.once('close', () => {
        if (!answer.complete) response.destroy();
      });
    });
    if (isStream(body)) {
      // The master may have something to say before the first byte of the body comes.
      upstream.flushHeaders();
      body.pipe(upstream);
    } else upstream.end(body ?? undefined);
  });
}

const isStream = (body: RelayJob['body']): body is Readable => body !== null && !Buffer.isBuffer(body);

function upstreamHeaders(job: RelayJob): OutgoingHttpHeaders {
  const headers = {
    // `expect` was answered here.
    ...endToEndHeaders(job.request, ['authorization', 'expect']),
    // By itself: a caller may not take it from the others on the way by calling it a header of one hop.
    ...(job.authorization !== null && { authorization: job.authorization }),
    ...job.extraHeaders,
  };
  if (Buffer.isBuffer(job.body)) return { ...headers, 'content-length': job.body.length };
  const chunked = hasBody(job.request) && headers['content-length'] === undefined;
  return chunked ? { ...headers, 'transfer-encoding': 'chunked' } : headers;
}

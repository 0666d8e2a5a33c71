/** Options of the REST server and their defaults. */
import type { TlsFiles } from './tls.ts';

export interface RestOptions {
  /** Address or name to listen on. @default 127.0.0.1 */
  readonly host: string;
  /** 0: any free port. @default 8200 */
  readonly port: number;
  /** Certificate and key; null: HTTP without encryption. @default null */
  readonly tls: TlsFiles | null;
  /** Names (without port) that a Host header may have beside IP addresses and localhost. @default [] */
  readonly allowedHosts: readonly string[];
  /** Largest task file, bytes. @default 268435456 */
  readonly maxUploadBytes: number;
  /** Largest JSON body, bytes. @default 1048576 */
  readonly maxBodyBytes: number;
  /** Requests a second of each caller; null: any number. @default 200 */
  readonly rateLimit: number | null;
  /** Open connections at most. @default 1024 */
  readonly maxConnections: number;
  /** Of them from one address, loopback aside. @default 256 */
  readonly maxConnectionsPerAddress: number;
  /** In so long, a body and an answer have to go on by `slowestBytesPerSecond`. @default 10000 and 30000 */
  readonly bodyPatienceMs: number;
  readonly answerPatienceMs: number;
  /** Slower than any line that a person would wait at. @default 500 */
  readonly slowestBytesPerSecond: number;
  /** A client's time to send its headers. @default 15000 */
  readonly headersTimeoutMs: number;
  /** A client's time to send its whole request, uploads included. @default 900000 */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept for the next request. @default 30000 */
  readonly keepAliveMs: number;
  /**
   * How long the rest of a refused body is read and thrown away, so that the client gets to read the refusal. @default
   * 5000
   */
  readonly lingerMs: number;
  /** How long a request whose master was lost waits for the next master. @default 10000 */
  readonly masterWaitMs: number;
  /** How often it looks for one, and whether the one it waits on is still master. @default 50 */
  readonly masterPollMs: number;
  /** How long `stop()` lets requests finish. @default 3000 */
  readonly stopTimeoutMs: number;
}

export const restDefaults: RestOptions = {
  host: '127.0.0.1',
  port: 8200,
  tls: null,
  allowedHosts: [],
  maxUploadBytes: 256 * 1024 * 1024,
  maxBodyBytes: 1024 * 1024,
  rateLimit: 200,
  maxConnections: 1024,
  maxConnectionsPerAddress: 256,
  bodyPatienceMs: 10_000,
  answerPatienceMs: 30_000,
  slowestBytesPerSecond: 500,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 900_000,
  keepAliveMs: 30_000,
  lingerMs: 5_000,
  masterWaitMs: 10_000,
  masterPollMs: 50,
  stopTimeoutMs: 3_000,
};

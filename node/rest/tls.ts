/** The certificate that REST shows: read from files, checked before it is shown, watched for its end. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { readSmallFile } from '../small-file.ts';

export interface TlsFiles {
  /** Certificate in PEM, followed by those that vouch for it. */
  readonly certFile: string;
  /** Its private key in PEM, without a passphrase. */
  readonly keyFile: string;
}

/** A certificate and its key that belong together. */
export interface TlsPair {
  readonly secureContext: SecureContextOptions;
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** `message` is for the operator. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
  readonly code: 'CERTIFICATE' | 'KEY' | 'MISMATCH';

  constructor(code: TlsError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Older versions of TLS have known holes (RFC 8996). */
const MIN_VERSION = 'TLSv1.2';
const DAY_MS = 86_400_000;
/** What renews certificates by itself has done so long before. */
const WARNED_BEFORE_MS = 14 * DAY_MS;

/** @throws TlsError */
export async function loadTls({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  const cert = await read(certFile, 'CERTIFICATE');
  const key = await read(keyFile, 'KEY');
  const certificate = attempt(
    () => new X509Certificate(cert),
    'CERTIFICATE',
    `there is no certificate in PEM in ${certFile} (--tls-cert)`,
  );
  const privateKey = attempt(
    () => createPrivateKey(key),
    'KEY',
    `there is no private key in PEM in ${keyFile} (--tls-key), or it has a passphrase: store it without`,
  );
  if (!certificate.checkPrivateKey(privateKey))
    throw new TlsError('MISMATCH', `the key in ${keyFile} is not that of the certificate in ${certFile}`);
  const secureContext: SecureContextOptions = { cert, key, minVersion: MIN_VERSION };
  // What OpenSSL finds too weak, or out of order, it says here.
  attempt(() => createSecureContext(secureContext), 'CERTIFICATE', `${certFile} can't be used`);
  return {
    secureContext,
    validFromMs: Date.parse(certificate.validFrom),
    validToMs: Date.parse(certificate.validTo),
  };
}

/** What is wrong with the time of a certificate, as a clause; null: nothing. */
export function certificateTrouble(
  { validFromMs, validToMs }: Pick<TlsPair, 'validFromMs' | 'validToMs'>,
  nowMs: number,
): { readonly refused: boolean; readonly message: string } | null {
  const advice = 'renew it and send the node SIGHUP';
  const at = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
  if (nowMs >= validToMs)
    return {
      refused: true,
      message: `the certificate of REST expired at ${at(validToMs)}, clients refuse it: ${advice}`,
    };
  if (nowMs < validFromMs)
    return {
      refused: true,
      message: `the certificate of REST is valid from ${at(validFromMs)} only: ${advice}, or set the clock`,
    };
  if (nowMs < validToMs - WARNED_BEFORE_MS) return null;
  return { refused: false, message: `the certificate of REST expires at ${at(validToMs)}: ${advice}` };
}

async function read(file: string, code: TlsError['code']): Promise<string> {
  try {
    return await readSmallFile(file);
  } catch (cause) {
    const flag = code === 'KEY' ? '--tls-key' : '--tls-cert';
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TlsError(code, `${flag}: ${file} can't be read: ${why}`, cause);
  }
}

function attempt<T>(work: () => T, code: TlsError['code'], message: string): T {
  try {
    return work();
  } catch (cause) {
    throw new TlsError(code, message, cause);
  }
}

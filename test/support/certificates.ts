/** Certificates for tests, made by openssl where there is one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** For `skip` of a test: false where certificates can be made. */
export const noCertificates: string | false =
  spawnSync('openssl', ['version']).status === 0
    ? false
    : 'there is no openssl here to make certificates with';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface CertificateWishes {
  /** @default IP:127.0.0.1,DNS:localhost */
  readonly names?: string;
  /** From now; negative: expired. @default 365 */
  readonly days?: number;
}

/** An authority, and the certificates that it vouches for. */
export class Authority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fsched-certificates-'));
  #made = 0;

  constructor() {
    const files = ['-keyout', this.#path('ca.key'), '-out', this.caFile];
    this.#openssl(['req', '-x509', ...NEW_KEY, ...files, '-days', '365', '-subj', '/CN=test authority']);
  }
  get caFile(): string {
    return this.#path('ca.pem');
  }
  get ca(): string {
    return readFileSync(this.caFile, 'utf8');
  }

  issue({ names = 'IP:127.0.0.1,DNS:localhost', days = 365 }: CertificateWishes = {}) {
    this.#made += 1;
    const [key, request, extensions, cert] = ['key', 'csr', 'ext', 'pem'].map((end) =>
      this.#path(`${this.#made}.${end}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.#openssl(['req', '-new', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', '/CN=node']);
    const signed = [
      '-CA',
      this.caFile,
      '-CAkey',
      this.#path('ca.key'),
      '-CAcreateserial',
      '-extfile',
      extensions,
    ];
    this.#openssl(['x509', '-req', '-in', request, ...signed, '-days', String(days), '-out', cert]);
    return { certFile: cert, keyFile: key };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
  #path(name: string): string {
    return join(this.#folder, name);
  }
  #openssl(args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

/** The steps of docs/security.md, as far as a machine and a configuration show whether they were taken. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tokenFault } from '../../protocols/schema/token.ts';
import { isLoopback } from '../addresses.ts';
import type { NodeConfig } from '../config/config.ts';
import { formatDuration } from '../config/values.ts';
import type { Clock } from '../ports.ts';
import { certificateTrouble, loadTls, TlsError } from '../rest/tls.ts';
import { readSmallFile } from '../small-file.ts';
import { type Finding, finding } from './finding.ts';

const OTHERS = 0o077;

export async function checkHardening(config: NodeConfig, clock: Clock): Promise<Finding[]> {
  const { dataDir, tokenFile, apiTokenFile, tlsKey } = config;
  // A member is known by its peer id: it starts without the token that let it in.
  const isMember = (await stat(join(dataDir, 'log')).catch(() => null)) !== null;
  const files = await Promise.all([
    isMember ? null : checkToken('join', '--token-file', tokenFile, join(dataDir, 'join-token')),
    isMember ? checkMode('join token', tokenFile ?? join(dataDir, 'join-token')) : null,
    checkToken('api', '--api-token-file', apiTokenFile, join(dataDir, 'api-token')),
    checkMode('peer key', join(dataDir, 'peer-key')),
    checkMode('cluster key', join(dataDir, 'cluster-key')),
    tlsKey === null ? null : checkMode('TLS key', tlsKey),
  ]);
  const rest = await checkRest(config, clock);
  return [
    ...files.filter((found) => found !== null),
    checkExpiry(config),
    rest,
    checkLimits(config),
    checkNetwork(config),
  ];
}

function checkExpiry({ foundingTokenTtl }: NodeConfig): Finding {
  const what = 'token expiry';
  return foundingTokenTtl === null
    ? finding(what, 'missing', 'the first join token lets nodes in until it is revoked: leave out "none"')
    : finding(what, 'ok', `a first join token ends after ${formatDuration(foundingTokenTtl)}`);
}

/** A file that the operator named must be there; the node makes its own. */
async function checkToken(
  kind: 'api' | 'join',
  flag: string,
  named: string | null,
  own: string,
): Promise<Finding> {
  const what = kind === 'api' ? 'API token' : 'join token';
  const file = named ?? own;
  const found = await stat(file).catch(() => null);
  if (found === null) {
    return named === null
      ? finding(what, 'ok', `${file}, to be made or copied there`)
      : finding(what, 'failed', `there is no ${file}: make it, or name another with ${flag}`);
  }
  try {
    const fault = tokenFault(kind, (await readSmallFile(file)).trim());
    if (fault !== null) return finding(what, 'failed', `${file} holds ${fault}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return finding(what, 'failed', `${file} can't be read: ${why}`);
  }
  return found.isFile() ? judgeMode(what, file, found.mode) : finding(what, 'ok', file);
}

async function checkMode(what: string, file: string): Promise<Finding | null> {
  const found = await stat(file).catch(() => null);
  return found === null ? null : judgeMode(what, file, found.mode);
}

const judgeMode = (what: string, file: string, mode: number): Finding =>
  (mode & OTHERS) === 0
    ? finding(what, 'ok', file)
    : finding(what, 'missing', `${file} is open to other users of this machine: chmod 600 it`);

async function checkRest({ rest, tlsCert, tlsKey }: NodeConfig, clock: Clock): Promise<Finding> {
  const what = 'REST by https';
  if (tlsCert !== null && tlsKey !== null) {
    try {
      const trouble = certificateTrouble(
        await loadTls({ certFile: tlsCert, keyFile: tlsKey }),
        clock.nowMs(),
      );
      return trouble === null ? finding(what, 'ok', tlsCert) : finding(what, 'missing', trouble.message);
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      return finding(what, 'failed', error.message);
    }
  }
  if (isLoopback(rest.host)) return finding(what, 'ok', 'not needed: REST listens on loopback only');
  const message =
    'tokens and output cross the network readable: give --tls-cert and --tls-key, or listen on loopback behind a proxy that does';
  return finding(what, 'missing', message);
}

function checkLimits({ memoryLimit, processLimit, openFileLimit }: NodeConfig): Finding {
  const without = [
    memoryLimit === null ? 'memory' : '',
    processLimit === null ? 'processes' : '',
    openFileLimit === null ? 'open files' : '',
  ].filter((each) => each !== '');
  if (without.length === 0) return finding('limits', 'ok', 'runs are limited in memory, processes and files');
  const message = `one run may take all ${without.join(' and ')} of this machine from the node: leave out "none"`;
  return finding('limits', 'missing', message);
}

function checkNetwork({ sandboxNetwork, allowDial }: NodeConfig): Finding {
  const what = 'network';
  if (sandboxNetwork)
    return finding(
      what,
      'missing',
      'programs reach the network of this machine: leave out --sandbox-network',
    );
  if (allowDial.length > 0) {
    const message = `callers and members may send this node to ${allowDial.join(', ')}: leave out --allow-dial unless members are there`;
    return finding(what, 'missing', message);
  }
  return finding(what, 'ok', 'programs in the sandbox have none, and nobody sends the node elsewhere');
}

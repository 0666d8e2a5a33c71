/**
 * Which addresses a node dials that its operator didn't write: those that callers of the API name, and those that
 * members say of themselves. Without this rule a node could be sent to what only it can reach: services on its own
 * loopback, neighbours on its link, the credentials that clouds give out at fixed addresses.
 */
import { BlockList, isIP } from 'node:net';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isLoopback } from './addresses.ts';

/** Where no member can be. */
const NO_MEMBERS: readonly string[] = [
  // "This host": Linux takes it for loopback.
  '0.0.0.0/8',
  // Of one link; clouds give out credentials at 169.254.169.254.
  '169.254.0.0/16',
  // Multicast, reserved, broadcast.
  '224.0.0.0/3',
  // Where other clouds answer their machines: Alibaba, Oracle, Azure.
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  // Unspecified, and IPv4 in an old dress.
  '::/96',
  'fe80::/10',
  'ff00::/8',
  // Amazon's and Google's over IPv6.
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  // IPv4 addresses of this list by way of a translator (NAT64) or a tunnel (6to4).
  '64:ff9b::/104',
  '64:ff9b::7f00:0/104',
  '64:ff9b::a9fe:0/112',
  '64:ff9b::e000:0/99',
  '64:ff9b::6464:64c8/128',
  '64:ff9b::c000:c0/128',
  '64:ff9b::a83f:8110/128',
  '2002::/24',
  '2002:7f00::/24',
  '2002:a9fe::/32',
  '2002:e000::/19',
  '2002:6464:64c8::/48',
];

export interface DialRulesOptions {
  /** Multiaddr that the node listens on: where that is loopback, its neighbours are on loopback too. */
  readonly listen: string;
  /** Networks (CIDR) or addresses that may be dialled whatever the rules say. */
  readonly allowed: readonly string[];
}

export class DialRules {
  readonly #loopback: boolean;
  readonly #allowed: BlockList;

  constructor({ listen, allowed }: DialRulesOptions) {
    this.#loopback = isLoopback(listen.split('/')[2] ?? '');
    this.#allowed = networks(allowed);
  }

  /** Whether an IP address may be dialled; never true for a name. */
  permits(written: string): boolean {
    // A zone (fe80::1%eth0) says by which link, not whom.
    const address = written.replace(/%.*$/, '');
    const version = isIP(address);
    if (version === 0) return false;
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (this.#allowed.check(address, family)) return true;
    // `BlockList` sees through IPv4 addresses that are mapped into IPv6.
    if (LOOPBACK.check(address, family)) return this.#loopback;
    return !FORBIDDEN.check(address, family);
  }
}

/** A network in CIDR notation or a single address, in parts; null for anything else. */
export function parseNetwork(
  text: string,
): { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' } | null {
  const [, address = '', digits] = /^([0-9a-fA-F:.]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return null;
  const widest = version === 4 ? 32 : 128;
  const prefix = digits === undefined ? widest : Number(digits);
  return prefix <= widest ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : null;
}

/** Host and port of an address that is nothing but TCP to one machine, with or without a peer id; else null. */
export function tcpEnd(address: Multiaddr): { readonly host: string; readonly isName: boolean } | null {
  const [host, tcp, peer, ...rest] = address.getComponents();
  if (host?.value === undefined || tcp?.name !== 'tcp' || rest.length > 0) return null;
  if (peer !== undefined && peer.name !== 'p2p') return null;
  const isName = ['dns', 'dns4', 'dns6'].includes(host.name);
  return isName || host.name === 'ip4' || host.name === 'ip6' ? { host: host.value, isName } : null;
}

function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const network = parseNetwork(text);
    if (network !== null) list.addSubnet(network.address, network.prefix, network.family);
  }
  return list;
}

const LOOPBACK = networks(['127.0.0.0/8', '::1']);
const FORBIDDEN = networks(NO_MEMBERS);

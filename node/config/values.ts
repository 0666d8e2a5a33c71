/** Parsers of single values that people write: each gives the value, or the sentence that says what to write. */
import { isIP } from 'node:net';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';

/** Reads one value from a flag, an environment variable or a JSON file; an error says what to write. */
export type Parse<T> = (value: unknown) => Outcome<T, string>;

const shown = (value: unknown) => JSON.stringify(value) ?? String(value);

/** Names of Linux files: any byte but these would surprise somebody in a terminal or a log. */
const hasControlCharacters = (text: string) => /\p{Cc}/u.test(text);

export const parseText =
  (what: string, maxLength = 4096): Parse<string> =>
  (value) =>
    typeof value === 'string' && value !== '' && value.length <= maxLength && !hasControlCharacters(value)
      ? succeed(value)
      : fail(`write ${what}, at most ${maxLength} characters and no control characters, not ${shown(value)}`);

export const parseChoice =
  <const T extends string>(choices: readonly T[]): Parse<T> =>
  (value) => {
    const choice = choices.find((candidate) => candidate === value);
    return choice === undefined
      ? fail(`write one of ${choices.join(', ')}, not ${shown(value)}`)
      : succeed(choice);
  };

/** A number of `units`, as a JSON number or as text with an optional suffix; whole after conversion. */
function parseQuantity(
  units: Readonly<Record<string, number>>,
  min: number,
  max: number,
  example: string,
): Parse<number> {
  return (value) => {
    const match = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$/.exec(
      typeof value === 'number' ? String(value) : text(value),
    );
    const factor = units[match?.[2]?.toLowerCase() ?? '?'];
    const quantity = factor === undefined ? Number.NaN : Math.round(Number(match?.[1]) * factor);
    if (quantity >= min && quantity <= max) return succeed(quantity);
    return fail(`write ${example}, from ${min} to ${max}, not ${shown(value)}`);
  };
}
const text = (value: unknown) => (typeof value === 'string' ? value.trim() : '');

/** Powers of 1024 whatever the spelling, as in cache geometries. */
const SIZE_UNITS = {
  '': 1,
  b: 1,
  ...{ k: 1024, kb: 1024, kib: 1024 },
  ...{ m: 1024 ** 2, mb: 1024 ** 2, mib: 1024 ** 2 },
  ...{ g: 1024 ** 3, gb: 1024 ** 3, gib: 1024 ** 3 },
};
const TIME_UNITS = { '': 1, ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** Bytes: `1048576`, `1024K`, `1MiB`. */
export const parseSize = (min: number, max: number): Parse<number> =>
  parseQuantity(SIZE_UNITS, min, max, 'a size in bytes such as 1048576, 512K or 256MiB');

/** As `parse`, or `none`: null. */
export const parseOrNone =
  <T>(parse: Parse<T>): Parse<T | null> =>
  (value) => {
    if (value === 'none') return succeed(null);
    const parsed = parse(value);
    return parsed.ok ? parsed : fail(`${parsed.error}; or write none`);
  };

/** Bytes as `parseSize` reads them, or a share of `whole` such as 80%. */
export const parseShare =
  (min: number, max: number, whole: number): Parse<number> =>
  (value) => {
    const share = /^([0-9]+(?:\.[0-9]+)?)\s*%$/.exec(text(value))?.[1];
    if (share === undefined) return parseSize(min, max)(value);
    const size = Math.floor((Number(share) / 100) * whole);
    return Number(share) <= 100 && size >= min
      ? succeed(size)
      : fail(`write a share of at most 100% that leaves ${min} bytes, not ${shown(value)}`);
  };

/** `on` or `off`; in a file also true or false. */
export const parseSwitch: Parse<boolean> = (value) => {
  if (value === true || value === 'on') return succeed(true);
  if (value === false || value === 'off') return succeed(false);
  return fail(`write on or off, not ${shown(value)}`);
};

/** A number such as 2 or 1.5. */
export const parseAmount =
  (min: number, max: number): Parse<number> =>
  (value) => {
    const written = typeof value === 'number' ? String(value) : text(value);
    const amount = /^[0-9]+(?:\.[0-9]+)?$/.test(written) ? Number(written) : Number.NaN;
    return amount >= min && amount <= max
      ? succeed(amount)
      : fail(`write a number from ${min} to ${max}, not ${shown(value)}`);
  };

/** Milliseconds: `500`, `500ms`, `60s`, `5m`. */
export const parseDuration = (min: number, max: number): Parse<number> =>
  parseQuantity(TIME_UNITS, min, max, 'a time in milliseconds such as 60000, 500ms, 60s or 5m');

/** As `parseSize` reads it, in the largest unit that needs no fraction. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of Object.entries({ GiB: 1024 ** 3, MiB: 1024 ** 2, KiB: 1024 })) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** As `parseDuration` reads it. */
export const formatDuration = (ms: number): string =>
  ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;

export const parseCount = (min: number, max: number): Parse<number> =>
  parseQuantity({ '': 1 }, min, max, 'a whole number');

const HOST_NAME = /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?$/;

/** A number with dots is meant to be an address, so 300.1.1.1 is no host name. */
const isHost = (host: string) => isIP(host) !== 0 || (HOST_NAME.test(host) && !/^[0-9.]+$/.test(host));

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8200`, `example.org:8200`, `[::1]:8200`; the host comes without brackets. */
export const parseHostPort: Parse<HostPort> = (value) => {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text(value));
  const [, bracketed, plain, digits] = match ?? [];
  const host = bracketed ?? plain ?? '';
  const fits = bracketed === undefined ? isHost(host) : isIP(host) === 6;
  if (match === null || !fits) {
    return fail(`write HOST:PORT such as 127.0.0.1:8200 or [::1]:8200, not ${shown(value)}`);
  }
  const port = Number(digits);
  return port <= 65_535 ? succeed({ host, port }) : fail(`write a port from 0 to 65535, not ${digits}`);
};

export const formatHostPort = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** Whether only programs on this machine can reach `host`. */
export const isLoopback = (host: string): boolean =>
  host === '::1' || host === 'localhost' || (isIP(host) === 4 && host.startsWith('127.'));

/** The package takes a while to load, so only those who wrote a multiaddr wait for it. */
async function checkMultiaddr(value: string): Promise<Outcome<string, string>> {
  const { multiaddr } = await import('@multiformats/multiaddr');
  try {
    const components = multiaddr(value).getComponents();
    const isTcp = components[1]?.name === 'tcp';
    if (isTcp) return succeed(value);
  } catch {
    // Falls through to the sentence below, which says more to a person than the library's.
  }
  return fail(`write a TCP multiaddr such as /ip4/192.0.2.1/tcp/8300, not ${shown(value)}`);
}

/** Where to listen: a multiaddr, or HOST:PORT with an IP address or `localhost`. Gives a multiaddr. */
export async function parseListen(value: unknown): Promise<Outcome<string, string>> {
  const given = text(value);
  if (given.startsWith('/')) return checkMultiaddr(given);
  const parsed = parseHostPort(given);
  if (!parsed.ok)
    return fail(`write a multiaddr such as /ip4/0.0.0.0/tcp/8300 or HOST:PORT, not ${shown(value)}`);
  const host = parsed.value.host === 'localhost' ? '127.0.0.1' : parsed.value.host;
  const family = isIP(host);
  if (family === 0) return fail(`write an IP address of this machine to listen on, not the name ${host}`);
  return succeed(`/ip${family}/${host}/tcp/${parsed.value.port}`);
}

/** Whom to dial: HOST, HOST:PORT or a multiaddr; given back as it was written. */
export async function parseTarget(value: unknown): Promise<Outcome<string, string>> {
  const given = text(value);
  if (given.startsWith('/')) return checkMultiaddr(given);
  const parsed = parseHostPort(given);
  if (isHost(given) || (parsed.ok && parsed.value.port > 0)) return succeed(given);
  return fail(`write HOST:PORT such as 192.0.2.1:8300 or a multiaddr, not ${shown(value)}`);
}

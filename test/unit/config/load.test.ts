import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { defaultsOf, type NodeConfig } from '../../../node/config/config.ts';
import {
  ConfigError,
  type ConfigErrorCode,
  type ConfigSources,
  loadConfig,
  unknownVariables,
} from '../../../node/config/load.ts';
import { NODE_OPTIONS } from '../../../node/config/options.ts';

const host = { name: 'host', homeDirectory: '/home/me', memoryBytes: 10 * 2 ** 30 };
const DEFAULTS = defaultsOf({}, host);

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fsched-config-'));
});
after(() => rm(folder, { recursive: true }));

const load = (sources: Partial<ConfigSources>): Promise<NodeConfig> =>
  loadConfig({ flags: {}, environment: {}, workingDirectory: folder, host, ...sources });

async function write(entries: unknown): Promise<string> {
  const path = join(folder, 'fsched.json');
  await writeFile(path, typeof entries === 'string' ? entries : JSON.stringify(entries));
  return path;
}

const refuses = (sources: Partial<ConfigSources>, code: ConfigErrorCode, message: RegExp): Promise<void> =>
  assert.rejects(load(sources), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });

describe('loadConfig', () => {
  test('gives the defaults when nothing is said', async () => {
    const config = await load({ environment: { XDG_STATE_HOME: '/state' } });
    assert.deepEqual(config, { ...DEFAULTS, dataDir: '/state/fsched' });
    assert.deepEqual([config.name, config.memoryLimit], ['host', 8 * 2 ** 30]);
  });

  test('ignores an XDG_STATE_HOME that is not absolute', async () => {
    const config = await load({ environment: { XDG_STATE_HOME: 'state' } });
    assert.equal(config.dataDir, '/home/me/.local/state/fsched');
  });

  test('lets flags win over environment over file over defaults', async () => {
    const config = await write({ name: 'file', voters: 3, queueLimit: 7, rest: '127.0.0.1:1' });
    const environment = { FSCHED_NAME: 'environment', FSCHED_VOTERS: '7', FSCHED_CONFIG: config };
    const loaded = await load({ flags: { name: 'flag' }, environment });
    assert.equal(loaded.name, 'flag');
    assert.equal(loaded.voters, 7);
    assert.equal(loaded.queueLimit, 7);
    assert.deepEqual(loaded.rest, { host: '127.0.0.1', port: 1 });
    assert.equal(loaded.heartbeatMs, DEFAULTS.heartbeatMs);
  });

  test('takes every option from each of the three places', async () => {
    const values: Readonly<Record<keyof NodeConfig, string>> = {
      name: 'n',
      dataDir: '/d',
      listen: '[::1]:0',
      rest: '[::1]:0',
      join: 'a:1,/ip4/127.0.0.1/tcp/2',
      allowDial: '127.0.0.0/8 fe80::/10',
      tokenFile: '/t',
      foundingTokenTtl: '1h',
      apiTokenFile: '/a',
      tlsCert: '/c',
      tlsKey: '/k',
      allowedHost: 'a.example,b.example',
      rateLimit: 'none',
      llc: 'emulated',
      llcGeometry: '12x1MiB',
      poolBandwidth: '30%',
      voters: '1',
      maxUploadBytes: '1k',
      queueLimit: '5',
      timeLimitMs: '5m',
      outputLimitBytes: '2KiB',
      runAs: 'nobody',
      runUids: '70000-70099',
      sandbox: 'on',
      sandboxNetwork: 'on',
      memoryLimit: '64MiB',
      cpuLimit: '1.5',
      processLimit: 'none',
      openFileLimit: '99',
      diskLimit: '2GiB',
      fileLimit: '1000',
      diskReserve: '10%',
      workDir: '/w',
      heartbeatMs: '50ms',
      electionTimeoutMs: '1s',
      logLevel: 'debug',
    };
    const expected: NodeConfig = {
      name: 'n',
      dataDir: '/d',
      listen: '/ip6/::1/tcp/0',
      rest: { host: '::1', port: 0 },
      join: ['a:1', '/ip4/127.0.0.1/tcp/2'],
      allowDial: ['127.0.0.0/8', 'fe80::/10'],
      tokenFile: '/t',
      foundingTokenTtl: 3_600_000,
      apiTokenFile: '/a',
      tlsCert: '/c',
      tlsKey: '/k',
      allowedHost: ['a.example', 'b.example'],
      rateLimit: null,
      llc: 'emulated',
      llcGeometry: { ways: 12, wayBytes: 1048576 },
      poolBandwidth: 30,
      voters: 1,
      maxUploadBytes: 1024,
      queueLimit: 5,
      timeLimitMs: 300_000,
      outputLimitBytes: 2048,
      runAs: 'nobody',
      runUids: { first: 70_000, last: 70_099 },
      sandbox: 'on',
      sandboxNetwork: true,
      memoryLimit: 64 * 1024 ** 2,
      cpuLimit: 1.5,
      processLimit: null,
      openFileLimit: 99,
      diskLimit: 2 * 1024 ** 3,
      fileLimit: 1000,
      diskReserve: { share: 0.1, bytes: 64 * 1024 ** 2 },
      workDir: '/w',
      heartbeatMs: 50,
      electionTimeoutMs: 1000,
      logLevel: 'debug',
    };
    const environment = Object.fromEntries(NODE_OPTIONS.map(({ key, variable }) => [variable, values[key]]));
    assert.deepEqual(await load({ flags: values }), expected, 'flags');
    assert.deepEqual(await load({ environment }), expected, 'environment');
    assert.deepEqual(await load({ flags: { config: await write(values) } }), expected, 'file');
  });

  test('names flags and variables after the keys', () => {
    const option = NODE_OPTIONS.find(({ key }) => key === 'apiTokenFile');
    assert.equal(option?.flag, '--api-token-file');
    assert.equal(option?.variable, 'FSCHED_API_TOKEN_FILE');
    assert.equal(NODE_OPTIONS.length, Object.keys(DEFAULTS).length);
  });

  test('tells each default as it would be written', () => {
    const told = Object.fromEntries(NODE_OPTIONS.map((option) => [option.key, option.default]));
    assert.deepEqual(
      [told.rest, told.maxUploadBytes, told.outputLimitBytes, told.timeLimitMs, told.heartbeatMs],
      ['127.0.0.1:8200', '256MiB', '1MiB', '60s', '100ms'],
    );
    assert.deepEqual(
      [told.join, told.apiTokenFile, told.cpuLimit, told.voters],
      [null, 'DATA-DIR/api-token', 'none', '5'],
    );
  });

  test('freezes the result to its depths', async () => {
    const config = await load({ flags: { join: ['a:1'], llcGeometry: '4x1MiB' } });
    for (const part of [config, config.rest, config.join, config.llcGeometry])
      assert.ok(Object.isFrozen(part));
  });

  test('reads paths from where they were written', async () => {
    const config = await write({ tokenFile: 'token', dataDir: '/absolute' });
    const loaded = await load({ flags: { config }, workingDirectory: '/elsewhere' });
    assert.equal(loaded.tokenFile, join(folder, 'token'));
    assert.equal(loaded.dataDir, '/absolute');
    assert.equal((await load({ flags: { dataDir: 'data' } })).dataDir, join(folder, 'data'));
  });

  test('takes JSON numbers and lists from the file', async () => {
    const config = await write({ join: ['a:1', 'b'], timeLimitMs: 5000, voters: 3 });
    const loaded = await load({ flags: { config } });
    assert.deepEqual(loaded.join, ['a:1', 'b']);
    assert.equal(loaded.timeLimitMs, 5000);
  });

  test('takes shares of the memory, switches without a value, and no limit', async () => {
    assert.equal((await load({ flags: { memoryLimit: '50%' } })).memoryLimit, 5 * 2 ** 30);
    assert.equal((await load({ flags: { memoryLimit: 'none' } })).memoryLimit, null);
    const config = await write({ sandboxNetwork: true, cpuLimit: 2, processLimit: 7 });
    const loaded = await load({ flags: { config } });
    assert.deepEqual([loaded.sandboxNetwork, loaded.cpuLimit, loaded.processLimit], [true, 2, 7]);
    assert.equal((await load({ flags: { config, sandboxNetwork: 'off' } })).sandboxNetwork, false);
  });

  test('takes an empty variable for none', async () => {
    assert.equal((await load({ environment: { FSCHED_VOTERS: '' } })).voters, DEFAULTS.voters);
  });
});

describe('loadConfig refuses', () => {
  test('an unknown key, and names the nearest', async () => {
    await refuses(
      { flags: { config: await write({ data_dir: 'x' }) } },
      'UNKNOWN_KEY',
      /"data_dir"; did you mean "dataDir"/,
    );
    await refuses({ flags: { config: await write({ voter: 3 }) } }, 'UNKNOWN_KEY', /did you mean "voters"/);
  });

  test('a file that is missing, no JSON, or no object', async () => {
    await refuses({ flags: { config: 'missing.json' } }, 'FILE_UNREADABLE', /missing\.json/);
    await refuses({ flags: { config: await write('{') } }, 'FILE_NOT_JSON', /isn't JSON/);
    await refuses({ flags: { config: await write([1]) } }, 'FILE_NOT_JSON', /write a JSON object/);
  });

  const bad: readonly (readonly [keyof NodeConfig, string, RegExp])[] = [
    ['rest', '127.0.0.1', /--rest: write HOST:PORT/],
    ['memoryLimit', '120%', /at most 100%.*or write none/],
    ['memoryLimit', '1k', /size in bytes.*or write none/],
    ['cpuLimit', '-1', /a number, from 0\.01/],
    ['sandboxNetwork', 'maybe', /on or off/],
    ['openFileLimit', '3', /from 16/],
    ['rest', '127.0.0.1:99999', /port from 0 to 65535/],
    ['rest', '::1:8200', /HOST:PORT such as .*\[::1\]/],
    ['rest', '300.1.1.1:80', /write HOST:PORT/],
    ['listen', '/ip4/127.0.0.1/udp/1', /TCP multiaddr/],
    ['listen', '/ip4/127.0.0.300/tcp/1', /TCP multiaddr/],
    ['listen', 'example.org:8300', /IP address of this machine/],
    ['listen', 'nonsense', /multiaddr such as/],
    ['join', 'a b:x', /--join: write HOST, HOST:PORT, .* not "b:x"$/],
    ['join', 'a:0', /write HOST, HOST:PORT/],
    ['join', '/ip4/127.0.0.1/udp/1', /a TCP multiaddr/],
    ['voters', '4', /1, 3, 5 or 7/],
    ['voters', '9', /1, 3, 5 or 7/],
    ['llc', 'magic', /one of auto, resctrl/],
    ['llcGeometry', '0x1MiB', /no cache geometry/],
    ['llcGeometry', 'wide', /no cache geometry/],
    ['maxUploadBytes', '-1', /a size in bytes/],
    ['maxUploadBytes', '1 parsec', /a size in bytes/],
    ['timeLimitMs', '0', /a time in milliseconds/],
    ['timeLimitMs', 'soon', /a time in milliseconds/],
    ['queueLimit', '1.7e9', /whole number/],
    ['name', 'a\nb', /no control characters/],
    ['logLevel', 'loud', /one of error/],
  ];
  for (const [key, value, message] of bad) {
    test(`${key} ${JSON.stringify(value)}`, () => refuses({ flags: { [key]: value } }, 'BAD_VALUE', message));
  }

  test('an election timeout that one lost heartbeat would trip', () =>
    refuses({ flags: { heartbeatMs: '300' } }, 'CONFLICT', /three heartbeats \(900 ms\)/));
});

test('a variable that no option has is told with the nearest that is one', () => {
  const environment = {
    FSCHED_DATADIR: '/x',
    FSCHED_DATA_DIR: '/x',
    FSCHED_RESTS: '',
    FSCHED_RUN_ID: 'of the run that starts this node',
    FSCHED_CONFIG: 'f',
    HOME: '/root',
  };
  assert.deepEqual(unknownVariables(environment), [
    { variable: 'FSCHED_DATADIR', meant: 'FSCHED_DATA_DIR' },
    { variable: 'FSCHED_RESTS', meant: 'FSCHED_REST' },
  ]);
});

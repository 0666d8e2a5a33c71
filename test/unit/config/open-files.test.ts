import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { warnIfOpen } from '../../../node/daemon-checks.ts';
import { silentLogger } from '../../support/silent-logger.ts';

test('a token file that others can read is warned of, with what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fsched-open-'));
  const file = join(folder, 'token');
  await writeFile(file, 'secret');
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  for (const [mode, count] of [
    [0o600, 0],
    [0o400, 0],
    [0o640, 1],
    [0o604, 2],
  ] as const) {
    await chmod(file, mode);
    await warnIfOpen(file, 'API token', logger);
    assert.equal(warnings.length, count, mode.toString(8));
  }
  assert.equal(warnings[0], `others can get at the API token: chmod 600 ${file}`);
  await warnIfOpen(join(folder, 'none'), 'API token', logger);
  assert.equal(warnings.length, 2);
  await rm(folder, { recursive: true });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readMachine } from '../../../node/worker/machine.ts';

describe('the machine', () => {
  test('reads numbers that make sense', () => {
    const { cpus, memoryBytes, freeMemoryBytes, load1 } = readMachine();
    assert.ok(Number.isInteger(cpus) && cpus > 0);
    assert.ok(memoryBytes > 64 * 1024 * 1024);
    assert.ok(freeMemoryBytes > 0 && freeMemoryBytes <= memoryBytes);
    assert.ok(load1 >= 0);
  });
});

/** For tests without secrets: a vault that has and takes none. */
import assert from 'node:assert/strict';
import type { Vault } from '../../node/master/vault.ts';
import { succeed } from '../../protocols/schema/outcome.ts';

export const emptyVault: Pick<Vault, 'seal' | 'open'> = {
  seal: async (_owner, secrets) => {
    assert.deepEqual(secrets, []);
    return succeed([]);
  },
  open: (_owner, sealed) => {
    assert.deepEqual(sealed, []);
    return succeed([]);
  },
};

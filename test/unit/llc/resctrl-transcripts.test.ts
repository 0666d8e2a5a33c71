/** The emulator answers as a real kernel did: every line of the recorded transcripts is played against it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Replay } from '../../resctrl/replay.ts';
import { parseTranscript } from '../../resctrl/transcript.ts';

const FACTS = fileURLToPath(new URL('../../../../shared/facts/resctrl/', import.meta.url));
const NAMES = ['intel.txt', 'intel-shareable-4-closids.txt', 'amd.txt', 'cdp.txt'];

describe('transcripts of a real resctrl', () => {
  for (const name of NAMES) {
    const skip = existsSync(FACTS + name) ? false : `the transcript ${name} isn't beside this clone`;
    test(`answers every line of ${name}`, { skip }, async () => {
      const text = readFileSync(FACTS + name, 'utf8');
      const replay = new Replay(text);
      assert.equal(replay.steps.length, text.trimEnd().split('\n').length);
      for (const step of replay.steps) {
        try {
          await replay.play(step);
        } catch (error) {
          throw new Error(`${name}:${step.line}: ${step.text}`, { cause: error });
        }
      }
    });
  }

  test('refuses a line that it does not understand', () => {
    assert.throws(() => parseTranscript('mkdir g1 => ok last=[ok]\nwhat is this?\n'), /line 2/);
  });
});

/**
 * npm run simulate -- --seeds N [--from S]   runs N seeds; ends with 1 at the first that fails
 * npm run simulate -- --seed S               runs one and tells what happens in it
 * --hostile KIND                             one more member, which means harm: its kinds stand in hostile.ts
 */
import { parseArgs } from 'node:util';
import { HOSTILITIES } from './hostile.ts';
import { type SimulationResult, simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    hostile: { type: 'string' },
  },
});

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} wants a whole number, not ${JSON.stringify(text)}`);
    process.exit(2);
  }
  return value;
}

const hostility = HOSTILITIES.find((kind) => kind === values.hostile) ?? null;
if (values.hostile !== undefined && hostility === null) {
  console.error(`--hostile wants one of: ${HOSTILITIES.join(', ')}`);
  process.exit(2);
}
const hint = hostility === null ? '' : ` --hostile '${hostility}'`;

function runOne(seed: number): SimulationResult {
  const result = simulate({ seed, hostility, trace: (line) => console.log(line) });
  console.log(summary(result));
  return result;
}

function summary({
  seed,
  failure,
  events,
  virtualMs,
  committed,
  acknowledged,
  terms,
}: SimulationResult): string {
  const verdict = failure === null ? 'held' : `FAILED: ${failure.message}`;
  return `seed ${seed}: ${verdict} (${events} events, ${Math.round(virtualMs)} virtual ms, ${committed} committed, ${acknowledged} acknowledged, ${terms} terms)`;
}

function runMany(from: number, count: number): boolean {
  const began = performance.now();
  let events = 0;
  let broken = 0;
  let acknowledged = 0;
  for (let seed = from; seed < from + count; seed++) {
    const result = simulate({ seed, hostility });
    if (result.broken) broken++;
    events += result.events;
    acknowledged += result.acknowledged;
    if (result.failure !== null) {
      console.error(summary(result));
      console.error(`repeat it with: npm run simulate -- --seed ${seed}${hint}`);
      return false;
    }
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${count} seeds from ${from} held in ${seconds.toFixed(1)} s: ${(count / seconds).toFixed(1)} seeds/s, ` +
      `${events} events, ${acknowledged} proposals acknowledged and kept${broken > 0 ? `, ${broken} left to people` : ''}`,
  );
  return true;
}

const held =
  values.seed === undefined
    ? runMany(number('from', values.from), number('seeds', values.seeds))
    : runOne(number('seed', values.seed)).failure === null;
process.exitCode = held ? 0 : 1;

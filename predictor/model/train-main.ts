/**
 * `npm run predictor:train`: trains the weights that the program ships with on `predictor/data`, and writes them there.
 * The same data give the same file, to the byte, on the same back end and kind of processor.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import { shippedFamilies, WEIGHTS_FILE } from './shipped.ts';
import { openBackend } from './tensor-backend.ts';
import { trainModel } from './trainer.ts';
import { encodeWeights } from './weights-file.ts';

const SEED = 1;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const backend = await openBackend();
const families = await shippedFamilies();
const curves = families.reduce((sum, family) => sum + family.curves.length, 0);
say(`training on ${curves} curves of ${families.length} functions, by ${backend.name} …`);
const onNetwork = (done: number, all: number): void => say(`network ${done} of ${all}`);
const weights = encodeWeights(await trainModel(families, { seed: SEED, onNetwork }, backend));
await writeFile(WEIGHTS_FILE, weights);
say(`${weights.length} bytes, SHA-256 ${createHash('sha256').update(weights).digest('hex')}`);

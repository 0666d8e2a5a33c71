/** The representative functions: `predictor/functions/catalogue.json`, checked. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Language = 'c' | 'python';

export interface CatalogueFunction {
  /** Of its file, too: `NAME.c` or `NAME.py`, whose first line tells what it does and what its input size means. */
  readonly name: string;
  readonly language: Language;
  readonly kind: string;
  readonly sizes: readonly number[];
  /** Those of `sizes` that are measured on the second cache as well. */
  readonly secondSizes?: readonly number[];
}

const LANGUAGES: Readonly<Record<Language, string>> = { c: '.c', python: '.py' };

export function sourceName({ name, language }: CatalogueFunction): string {
  return name + LANGUAGES[language];
}

/** @throws Error that names the entry which is wrong */
export async function readCatalogue(folder: string): Promise<readonly CatalogueFunction[]> {
  const path = join(folder, 'catalogue.json');
  const entries: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!Array.isArray(entries)) throw new Error(`${path} is no list`);
  const functions = entries.map((entry: unknown, index) => {
    if (!isFunction(entry))
      throw new Error(`${path}: entry ${index + 1} is no function: ${JSON.stringify(entry)}`);
    return entry;
  });
  const names = functions.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`${path}: ${twice} stands there twice`);
  return functions;
}

function isFunction(entry: unknown): entry is CatalogueFunction {
  if (typeof entry !== 'object' || entry === null) return false;
  const { name, language, kind, sizes, secondSizes = [] } = entry as Record<string, unknown>;
  return (
    typeof name === 'string' &&
    /^[a-z][a-z0-9_]*$/.test(name) &&
    typeof language === 'string' &&
    Object.hasOwn(LANGUAGES, language) &&
    typeof kind === 'string' &&
    areSizes(sizes) &&
    sizes.length > 0 &&
    areSizes(secondSizes) &&
    secondSizes.every((size) => sizes.includes(size))
  );
}

function areSizes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every(
      (size, index) => Number.isSafeInteger(size) && size > 0 && (index === 0 || size > value[index - 1]),
    )
  );
}

/** Carries out `task` for each of the items, so many at a time; rejects with the first that failed. */
export async function atATime<T>(
  limit: number,
  items: readonly T[],
  task: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const work = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, left.length) }, work));
}

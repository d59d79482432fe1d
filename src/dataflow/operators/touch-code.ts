/**
 * A loop before the loop: reads the buckets that a chunk's keys belong to. The reads do not wait for each other, while the lookups behind them
 * would each wait for memory; on an index larger than the cache this is a third of the time of taking a chunk in. Small indexes
 * are in the cache anyway.
 */

/** Rows from which on an index is taken to be larger than the cache. */
export const LARGE = 32_768;

/** `touch` and `store` are in sight; rows r of from..to; `args` as for find. The sum is kept where nobody can prove it useless. */
export function touchLoop(args: string, from: string, to: string): string {
  return `if (store.live > ${LARGE}) { let x = 0; for (let r = ${from}; r < ${to}; r++) x ^= touch(${args}); sink.value = x; }`;
}

export const sink: { value: number } = { value: 0 };

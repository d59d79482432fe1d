/**
 * A filter of hashes: says of one that was entered "maybe", and of nearly every other "no".
 *
 * With 10 bits a row, one in a hundred others is a "maybe" for nothing, with 20 one in a thousand. What is looked for is looked for in every run, so
 * of many small runs, which have few of the rows, less is to be expected than of the large ones.
 *
 * Split blocks, as in Parquet: a hash has a bit in each of the eight words of one block of 32 bytes, which is half a line of the machine's cache.
 */

const WORDS = 8;
const BITS_PER_ROW = 10;
const BITS_PER_ROW_OF_SMALL = 20;
const SALTS = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
] as const;

/** For so many rows of a run that is small, or not. */
export function filterWords(rows: number, isSmall: boolean): number {
  const bits = isSmall ? BITS_PER_ROW_OF_SMALL : BITS_PER_ROW;
  return Math.max(1, Math.ceil((rows * bits) / (WORDS * 32))) * WORDS;
}

/** Rows of an extent have hashes that are near each other, and those of integers keep neighbours together: so they are mixed once more. */
export function mixed(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** First word of the block of a mixed hash. */
function blockOf(h: number, words: number): number {
  return Math.floor(((h >>> 0) / 4294967296) * (words / WORDS)) * WORDS;
}

export function addToFilter(filter: Int32Array, hash: number): void {
  const h = mixed(hash);
  const at = blockOf(h, filter.length);
  for (let i = 0; i < WORDS; i++) {
    const bit = Math.imul(h, SALTS[i] as number) >>> 27;
    filter[at + i] = (filter[at + i] as number) | (1 << bit);
  }
}

/** `h`: mixed(), which is the same for all filters. */
export function filterMayHave(filter: Int32Array, h: number): boolean {
  const at = blockOf(h, filter.length);
  for (let i = 0; i < WORDS; i++) {
    const bit = Math.imul(h, SALTS[i] as number) >>> 27;
    if ((((filter[at + i] as number) >>> bit) & 1) === 0) return false;
  }
  return true;
}

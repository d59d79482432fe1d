/** Binary search. */

/** Index of the first value above `limit` in an ascending list, among those in [from, to); `to` where there is none. */
export function firstAbove(
  values: { readonly [index: number]: number; readonly length: number },
  limit: number,
  from = 0,
  to: number = values.length,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

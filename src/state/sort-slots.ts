/** A merge sort over slots that is quick where they lie in order already, either way, and never works for long without a yield. */

/** Elements sorted between two yields. */
const RUN = 4096;

export function* sortSlots(
  slots: Int32Array,
  scratch: Int32Array,
  compare: (a: number, b: number) => number,
): Generator<void> {
  const n = slots.length;
  for (let from = 0; from < n; from += RUN) {
    const run = slots.subarray(from, Math.min(n, from + RUN));
    // An array sorts what is in order, or in reverse order, in one pass; a typed array does not.
    if (run.length > 1) run.set(Array.from(run).sort(compare));
    if (run.length === RUN) yield;
  }
  let source = slots;
  let target = scratch;
  for (let width = RUN; width < n; width *= 2) {
    for (let from = 0; from < n; from += 2 * width) {
      yield* merge(source, target, from, Math.min(n, from + width), Math.min(n, from + 2 * width), compare);
    }
    [source, target] = [target, source];
  }
  if (source !== slots) slots.set(source);
}

function* merge(
  source: Int32Array,
  target: Int32Array,
  from: number,
  middle: number,
  to: number,
  compare: (a: number, b: number) => number,
): Generator<void> {
  const left = source.subarray(from, middle);
  const right = source.subarray(middle, to);
  if (right.length === 0 || compare(source[middle - 1] as number, source[middle] as number) <= 0) {
    target.set(source.subarray(from, to), from);
    return;
  }
  if (compare(source[to - 1] as number, source[from] as number) < 0) {
    target.set(right, from);
    target.set(left, from + right.length);
    return;
  }
  for (let at = from, a = 0, b = 0; at < to; at++) {
    const takeLeft =
      b >= right.length || (a < left.length && compare(left[a] as number, right[b] as number) <= 0);
    target[at] = (takeLeft ? left[a++] : right[b++]) as number;
    if ((at & 16_383) === 16_383) yield;
  }
}

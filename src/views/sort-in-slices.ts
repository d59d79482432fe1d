/** Sorting of many rows beside everything else. */
import type { Pace } from "./pace.ts";

/** Merge sort that lets the event loop have its turn. */
export async function sortInSlices(
  slots: number[],
  compare: (a: number, b: number) => number,
  pace: Pace,
): Promise<void> {
  const RUN = 1024;
  let runs: number[][] = [];
  for (let from = 0; from < slots.length; from += RUN) {
    runs.push(slots.slice(from, from + RUN).sort(compare));
    await pace.pause();
  }
  while (runs.length > 1) {
    const merged: number[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const a = runs[i] as number[];
      const b = runs[i + 1];
      if (b === undefined) {
        merged.push(a);
        continue;
      }
      const out: number[] = [];
      for (let x = 0, y = 0; x < a.length || y < b.length; ) {
        const left = y >= b.length || (x < a.length && compare(a[x] as number, b[y] as number) <= 0);
        out.push((left ? a[x++] : b[y++]) as number);
        if ((out.length & 1023) === 0) await pace.pause();
      }
      merged.push(out);
    }
    runs = merged;
  }
  const sorted = runs[0] ?? [];
  for (let i = 0; i < sorted.length; i++) slots[i] = sorted[i] as number;
}

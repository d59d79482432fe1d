/** Names longer than this are never close: the work grows with the product of both lengths. */
const LENGTH_MAX = 64;

/** How many letters must be put in, left out or changed to make one of the other (Levenshtein); more than `most` once that is certain. */
export function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most || a.length > LENGTH_MAX || b.length > LENGTH_MAX) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

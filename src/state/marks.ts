/**
 * A bit for each slot or id that a checkpoint has to look at: born, killed, made or freed since the last one.
 *
 * A set of bits takes an eighth of a byte for each slot there is, however often one is marked and however long no checkpoint comes; a list of
 * those that changed would grow with every step. Whoever marks has made room before, so that marking is one store.
 */
export class Marks {
  /** Bit n & 31 of word n >>> 5 is the mark of n. Replaced by ensure() and take(). */
  B: Int32Array = new Int32Array(0);

  /** Room for the marks of all numbers below `end`. */
  ensure(end: number): void {
    const words = (end + 31) >>> 5;
    if (words <= this.B.length) return;
    const larger = new Int32Array(Math.max(words, this.B.length * 2));
    larger.set(this.B);
    this.B = larger;
  }

  /** REQUIRES room for it. */
  add(n: number): void {
    this.B[n >>> 5] = (this.B[n >>> 5] as number) | (1 << (n & 31));
  }

  /** The same, with room made where there is none. */
  mark(n: number): void {
    this.ensure(n + 1);
    this.add(n);
  }

  has(n: number): boolean {
    return isMarked(this.B, n);
  }

  /** Takes the mark away; whether there was one. */
  unmark(n: number): boolean {
    if (!this.has(n)) return false;
    this.B[n >>> 5] = (this.B[n >>> 5] as number) & ~(1 << (n & 31));
    return true;
  }

  /** All marks; none are left. */
  take(): Int32Array {
    const taken = this.B;
    this.B = new Int32Array(taken.length);
    return taken;
  }
}

/** Words without a mark that are looked at in one go. */
const WORDS_PER_LOOK = 65_536;

/**
 * The first marked number from `from` on, below `end`; null instead of marks: all are. A number that is not marked is given where none was found for
 * long, so that the caller can take a turn: REQUIRES that it asks isMarked().
 */
export function nextMarked(marks: Int32Array | null, from: number, end: number): number {
  if (marks === null || from >= end) return from;
  let word = from >>> 5;
  const rest = (marks[word] as number) >>> (from & 31);
  if (rest !== 0) return Math.min(end, from + 31 - Math.clz32(rest & -rest));
  const last = Math.min((end - 1) >>> 5, marks.length - 1, word + WORDS_PER_LOOK);
  for (word++; word <= last; word++) {
    const bits = marks[word] as number;
    if (bits !== 0) return Math.min(end, (word << 5) + 31 - Math.clz32(bits & -bits));
  }
  return word >= marks.length ? end : Math.min(end, word << 5);
}

export function isMarked(marks: Int32Array | null, n: number): boolean {
  if (marks === null) return true;
  const word = n >>> 5;
  return word < marks.length && (((marks[word] as number) >>> (n & 31)) & 1) === 1;
}

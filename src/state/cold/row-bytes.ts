/** Memory that rows of a run are made in, or read into. */

/** The same memory twice. */
export interface RowBytes {
  words: Int32Array;
  bytes: Uint8Array;
}

export function rowBytes(words: number): RowBytes {
  const buffer = new ArrayBuffer(words * 4);
  return { words: new Int32Array(buffer), bytes: new Uint8Array(buffer) };
}

/** Replaces the memory, whose content is lost. */
export function replaceBytes(target: RowBytes, words: number): void {
  Object.assign(target, rowBytes(words));
}

/** Replaces the memory if it is smaller; its content is lost then. */
export function ensureWords(target: RowBytes, words: number): void {
  if (target.words.length < words) replaceBytes(target, words);
}

/** Makes room for `more` words behind the `used` ones, which stay. */
export function growBytes(target: RowBytes, used: number, more: number): void {
  if (used + more <= target.words.length) return;
  const { words } = target;
  replaceBytes(target, Math.max(used + more, words.length * 2));
  target.words.set(words.subarray(0, used));
}

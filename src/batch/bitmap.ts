/** Arrow bitmaps: bit i is bit (i & 7) of byte i >> 3. */

export function bitmapBytes(bits: number): number {
  return (bits + 7) >>> 3;
}

export function getBit(bitmap: Uint8Array, i: number): boolean {
  return (((bitmap[i >>> 3] as number) >>> (i & 7)) & 1) === 1;
}

export function setBit(bitmap: Uint8Array, i: number): void {
  bitmap[i >>> 3] = (bitmap[i >>> 3] as number) | (1 << (i & 7));
}

export function clearBit(bitmap: Uint8Array, i: number): void {
  bitmap[i >>> 3] = (bitmap[i >>> 3] as number) & ~(1 << (i & 7));
}

/** Sets bits [from, to). */
export function setBits(bitmap: Uint8Array, from: number, to: number): void {
  let i = from;
  while (i < to && (i & 7) !== 0) setBit(bitmap, i++);
  const wholeBytes = (to - i) >>> 3;
  if (wholeBytes > 0) {
    bitmap.fill(0xff, i >>> 3, (i >>> 3) + wholeBytes);
    i += wholeBytes << 3;
  }
  while (i < to) setBit(bitmap, i++);
}

/** Copies `count` bits; source and target must not overlap. */
export function copyBits(
  source: Uint8Array,
  sourceFrom: number,
  target: Uint8Array,
  targetFrom: number,
  count: number,
): void {
  let i = 0;
  if (((sourceFrom | targetFrom) & 7) === 0) {
    const wholeBytes = count >>> 3;
    const from = sourceFrom >>> 3;
    target.set(source.subarray(from, from + wholeBytes), targetFrom >>> 3);
    i = wholeBytes << 3;
  }
  for (; i < count; i++) {
    if (getBit(source, sourceFrom + i)) setBit(target, targetFrom + i);
    else clearBit(target, targetFrom + i);
  }
}

/** Whether bits [0, length) are all set. */
export function allSet(bitmap: Uint8Array, length: number): boolean {
  const wholeBytes = length >>> 3;
  for (let i = 0; i < wholeBytes; i++) if (bitmap[i] !== 0xff) return false;
  const tail = length & 7;
  return tail === 0 || ((bitmap[wholeBytes] as number) & ((1 << tail) - 1)) === (1 << tail) - 1;
}

/** Clears the bits after `length` in the last byte, so that equal bitmaps have equal bytes. */
export function clearTail(bitmap: Uint8Array, length: number): void {
  const tail = length & 7;
  if (tail !== 0) bitmap[length >>> 3] = (bitmap[length >>> 3] as number) & ((1 << tail) - 1);
}

import type { Random } from "../base/random.ts";

/** 53 random bits. */
export function randomLogId(random: Random): number {
  const words = new Uint32Array(random.bytes(new Uint8Array(8)).buffer);
  return words[0]! * 0x20_0000 + (words[1]! >>> 11);
}

/**
 * Where the elements of a JSON array end, in its bytes as they arrive.
 *
 * JSON.parse of a 64 MiB array would stop the program for half a second and cannot say which element is wrong. So the text is only looked through here,
 * for the "," or "]" outside strings and brackets that ends an element, and each element is read by whoever takes it. The search knows strings and
 * brackets, nothing else: what lies between two cuts may be nonsense, and reading that element will say so.
 *
 * Bytes suffice: in UTF-8 no part of a longer character looks like one of ASCII.
 */
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBrace = 0x7b;
export const closeBracket = 0x5d;
const closeBrace = 0x7d;

export class ElementCutter {
  /** Open brackets within the current element. */
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** At the beginning of an element. */
  reset(): void {
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  /** Index of the byte that ends the element, or -1; then the next call goes on at `to`. */
  find(bytes: Uint8Array, from: number, to: number): number {
    let depth = this.#depth;
    for (let i = this.#inString ? this.#passString(bytes, from, to) : from; i < to; i++) {
      const byte = bytes[i] as number;
      if (byte === quote) {
        this.#inString = true;
        i = this.#passString(bytes, i + 1, to) - 1;
        continue;
      }
      // With this bit a square bracket is a curly one; most characters are none of them.
      const curly = byte | 0x20;
      if (byte !== comma && curly !== openBrace && curly !== closeBrace) continue;
      if (depth === 0 && (byte === comma || byte === closeBracket)) return i;
      if (curly === openBrace) depth++;
      else if (curly === closeBrace && depth > 0) depth--;
    }
    this.#depth = depth;
    return -1;
  }

  /** From inside a string: the index behind its closing quote, or `to`. */
  #passString(bytes: Uint8Array, from: number, to: number): number {
    let escaped = this.#escaped;
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number;
      if (escaped) escaped = false;
      else if (byte === backslash) escaped = true;
      else if (byte === quote) {
        this.#inString = false;
        this.#escaped = false;
        return i + 1;
      }
    }
    this.#escaped = escaped;
    return to;
  }
}

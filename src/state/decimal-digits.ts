/** Decimals between safe integers and the bytes of their text, without a string in between. */

const MINUS = 45;
const POINT = 46;
const ZERO_DIGIT = 48;
const NINE_DIGIT = 57;
/** Of so many digits every integer is safe. */
const SAFE_DIGITS = 15;
/** Digits that are taken off at once, so that most of the divisions are of small integers. */
const PIECE = 10 ** 8;
const PIECE_DIGITS = 8;

/** Most bytes that writeDigits writes. */
export function digitsRoom(scale: number): number {
  return 18 + scale;
}

/**
 * Writes the integer, with a point before its last `scale` digits, so that it ends at `end`; where it begins.
 *
 * REQUIRES a safe integer, and digitsRoom(scale) bytes before `end`.
 */
export function writeDigits(target: Uint8Array, end: number, unscaled: number, scale: number): number {
  let rest = Math.abs(unscaled);
  let at = end;
  // Where the point goes; without digits behind it there is none.
  const point = scale === 0 ? -1 : end - scale - 1;
  // At least a digit, and one before the point.
  const least = scale === 0 ? end - 1 : point;
  while (rest > 0 || at > least) {
    const next = Math.floor(rest / PIECE);
    let piece = (rest - next * PIECE) | 0;
    rest = next;
    for (let i = 0; i < PIECE_DIGITS && (piece > 0 || rest > 0 || at > least); i++) {
      if (at - 1 === point) target[--at] = POINT;
      const tens = (piece / 10) | 0;
      target[--at] = ZERO_DIGIT + (piece - tens * 10);
      piece = tens;
    }
  }
  if (unscaled < 0) target[--at] = MINUS;
  return at;
}

/** Digits that a quotient gets at once. */
const QUOTIENT_PIECE = 10 ** 7;
const QUOTIENT_PIECE_DIGITS = 7;
/** Beyond, a remainder with so many more digits is no safe integer. */
export const DIVISOR_MAX = 2 ** 29;

/** Where writeQuotient's text ends. */
export function quotientEnd(scale: number): number {
  return digitsRoom(0) + 1 + scale;
}

/**
 * Writes dividend / divisor with `scale` digits behind the point, rounded half away from zero, so that it ends at quotientEnd(); where it begins.
 *
 * REQUIRES a safe integer, another from 1 to DIVISOR_MAX, `scale` > 0, a quotient that is not rounded to zero or is none, and room up to the end.
 */
export function writeQuotient(target: Uint8Array, dividend: number, divisor: number, scale: number): number {
  const magnitude = Math.abs(dividend);
  const point = digitsRoom(0);
  let whole = Math.floor(magnitude / divisor);
  let rest = magnitude - whole * divisor;
  if (rest < 0) {
    // The division was rounded up.
    whole--;
    rest += divisor;
  }
  target[point] = POINT;
  for (let done = 0; done < scale; ) {
    const digits = Math.min(QUOTIENT_PIECE_DIGITS, scale - done);
    const shifted = rest * (digits === QUOTIENT_PIECE_DIGITS ? QUOTIENT_PIECE : 10 ** digits);
    let piece = Math.floor(shifted / divisor);
    rest = shifted - piece * divisor;
    if (rest < 0) {
      piece--;
      rest += divisor;
    }
    done += digits;
    for (let at = point + done; at > point + done - digits; at--) {
      const tens = (piece / 10) | 0;
      target[at] = ZERO_DIGIT + (piece - tens * 10);
      piece = tens;
    }
  }
  if (rest * 2 >= divisor) {
    let at = point + scale;
    while (at > point && target[at] === NINE_DIGIT) target[at--] = ZERO_DIGIT;
    if (at > point) target[at] = (target[at] as number) + 1;
    else whole++;
  }
  const begin = writeDigits(target, point, whole, 0);
  if (dividend >= 0) return begin;
  target[begin - 1] = MINUS;
  return begin - 1;
}

/** What the last readDigits found behind the point. */
let scale = 0;

/** The scale of the decimal that was read last. */
export function scaleRead(): number {
  return scale;
}

/** The integer of all digits of a decimal's text, without its point; NaN where it has more than 15, or is none ("NaN", "Infinity"). */
export function readDigits(source: Uint8Array, from: number, length: number): number {
  let at = from;
  const end = from + length;
  const negative = source[at] === MINUS;
  if (negative) at++;
  scale = 0;
  if (end - at > SAFE_DIGITS + 1) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const c = source[at]!;
    if (c === POINT) scale = end - at - 1;
    else if (c >= ZERO_DIGIT && c <= NINE_DIGIT) value = value * 10 + (c - ZERO_DIGIT);
    else return Number.NaN;
  }
  return negative ? 0 - value : value;
}

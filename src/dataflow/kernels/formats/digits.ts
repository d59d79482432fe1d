/** A double's digits, exactly rounded half to even, as C prints them: %.nf and %.ne. */

interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

/** |x| as a fraction: every finite double is one. */
function fractionOf(x: number): Fraction {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(x));
  const bits = view.getBigUint64(0);
  const exponent = Number(bits >> 52n);
  const mantissa = (bits & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n);
  const power = (exponent === 0 ? 1 : exponent) - 1075;
  return power >= 0
    ? { over: mantissa << BigInt(power), under: 1n }
    : { over: mantissa, under: 1n << BigInt(-power) };
}

function rounded(over: bigint, under: bigint): bigint {
  const whole = over / under;
  const twice = (over - whole * under) * 2n;
  return twice > under || (twice === under && whole % 2n === 1n) ? whole + 1n : whole;
}

/** Of a finite number, with a sign where it is negative (also for -0). */
export function fixedText(x: number, digits: number): string {
  const { over, under } = fractionOf(x);
  const text = String(rounded(over * 10n ** BigInt(digits), under)).padStart(digits + 1, "0");
  const sign = x < 0 || Object.is(x, -0) ? "-" : "";
  const point = text.length - digits;
  return digits === 0 ? sign + text : `${sign}${text.slice(0, point)}.${text.slice(point)}`;
}

/** d.ddde+XX of over / under. `carries`: what is rounded up to 10 becomes 1 with the next exponent. */
function scientific(
  over: bigint,
  under: bigint,
  digits: number,
  round: (o: bigint, u: bigint) => bigint,
  carries: boolean,
): string {
  let exponent = over === 0n ? 0 : String(over).length - String(under).length;
  if (over > 0n && scaledBelowOne(over, under, exponent)) exponent--;
  const shift = digits - exponent;
  const scale = 10n ** BigInt(Math.abs(shift));
  let text = String(shift >= 0 ? round(over * scale, under) : round(over, under * scale));
  if (carries && text.length > digits + 1) {
    text = text.slice(0, -1);
    exponent++;
  }
  text = text.padStart(digits + 1, "0");
  const point = text.length - digits;
  const mantissa = digits === 0 ? text : `${text.slice(0, point)}.${text.slice(point)}`;
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** Whether over / under is less than ten to the exponent. */
function scaledBelowOne(over: bigint, under: bigint, exponent: number): boolean {
  const power = 10n ** BigInt(Math.abs(exponent));
  return exponent >= 0 ? over < under * power : over * power < under;
}

/** Of a finite number, without its sign. */
export function scientificText(x: number, digits: number): string {
  const { over, under } = fractionOf(x);
  return scientific(over, under, digits, rounded, true);
}

/** Of unscaled / 10^scale, without its sign; half away from zero. As PostgreSQL has it, 9.99 with one digit is 10.0e+00. */
export function scientificDecimal(unscaled: bigint, scale: number, digits: number): string {
  const away = (over: bigint, under: bigint) => {
    const whole = over / under;
    return (over - whole * under) * 2n >= under ? whole + 1n : whole;
  };
  return scientific(unscaled < 0n ? -unscaled : unscaled, 10n ** BigInt(scale), digits, away, false);
}

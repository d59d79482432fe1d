/**
 * to_char(number, pattern).
 *
 * 1. The number becomes digits: rounded to the digits behind the pattern's point (a double has 15 in all), `#` in each place where it has more
 *    digits before the point than the pattern. Missing ones before the point are `blanks`.
 * 2. The pattern is walked. Each 9, 0 and point stands for one place of the number, counted from the left; before the first digit the
 *    sign is written, unless the pattern has a place of its own for it. Without FM a place without a digit is a blank.
 * 3. With FM zeros at the end of the fraction are left out, as far as no 0 in the pattern asks for them.
 */
import {
  absDecimal,
  type Decimal,
  decimal,
  decimalToText,
  FINITE,
  multiplyDecimals,
  powerOfTen,
  rescaled,
  roundDecimal,
} from "../decimal.ts";
import { fail, fault, floatOverflow, int4OutOfRange, int8OutOfRange, scalarError } from "../errors.ts";
import { roundHalfEven } from "../rounding.ts";
import { fixedText, scientificDecimal, scientificText } from "./digits.ts";
import { isPattern, type NumberPart, type NumberPattern, numberPattern } from "./number-pattern.ts";

/** A number's digits and sign, ready for a pattern. */
interface Digits {
  readonly text: string;
  readonly negative: boolean;
  /** Places before the point for which there is no digit. */
  readonly blanks: number;
  readonly before: number;
  readonly after: number;
}

const INT4_MAX = 2_147_483_647;
const DOUBLE_DIGITS = 15;
const SINGLE_DIGITS = 6;

// ---- digits of numbers --------------------------------------------------------------------------------------------

/** Digits of which the part before the point is as long as the pattern wants. */
function fitted(written: string, before: number, after: number, pointless: boolean): Digits {
  const negative = written.startsWith("-");
  const digits = negative ? written.slice(1) : written;
  const point = digits.indexOf(".");
  const length = point < 0 ? digits.length : point;
  const filled = pointless && after > 0 ? `${digits}.${"0".repeat(after)}` : digits;
  if (length <= before) return { text: filled, negative, blanks: before - length, before, after };
  const hashes = "#".repeat(before + after + 1);
  const text = `${hashes.slice(0, before)}.${hashes.slice(before + 1)}`;
  return { text, negative, blanks: 0, before, after };
}

function integerDigits(n: bigint, pattern: NumberPattern, limit: bigint, type: "int4" | "int8"): Digits {
  let shown = n;
  if (pattern.hasShift) {
    shown *= powerOfTen(pattern.shift);
    if (shown > limit || shown < -limit - 1n) fail(type === "int4" ? int4OutOfRange : int8OutOfRange, null);
  }
  return fitted(String(shown), pattern.before + pattern.shift, pattern.after, true);
}

function decimalDigits(x: Decimal, pattern: NumberPattern): Digits {
  const shifted = pattern.hasShift ? multiplyDecimals(x, decimal(powerOfTen(pattern.shift), 0)) : x;
  const written = decimalToText(roundDecimal(shifted, pattern.after));
  return fitted(written, pattern.before + pattern.shift, pattern.after, false);
}

function floatDigits(x: number, pattern: NumberPattern, precision: number): Digits {
  const shifted = pattern.hasShift ? x * 10 ** pattern.shift : x;
  if (Number.isFinite(x) && !Number.isFinite(shifted)) fail(floatOverflow, null);
  const said = (digits: number) =>
    Number.isFinite(shifted) ? fixedText(shifted, digits) : Number.isNaN(shifted) ? "NaN" : `${shifted}`;
  const whole = said(0).replace("-", "").length;
  const after =
    whole >= precision ? 0 : whole + pattern.after > precision ? precision - whole : pattern.after;
  return fitted(said(after), pattern.before + pattern.shift, after, false);
}

// ---- special forms ------------------------------------------------------------------------------------------------

function hashed(pattern: NumberPattern): string {
  const hashes = "#".repeat(pattern.before + pattern.after + 5);
  return ` ${hashes.slice(0, pattern.before)}.${hashes.slice(pattern.before + 1)}`;
}

function signed(negative: boolean, text: string): string {
  return (negative ? "-" : " ") + text;
}

const romanDigits: readonly (readonly [number, string])[] = [
  [1000, "M"],
  [900, "CM"],
  [500, "D"],
  [400, "CD"],
  [100, "C"],
  [90, "XC"],
  [50, "L"],
  [40, "XL"],
  [10, "X"],
  [9, "IX"],
  [5, "V"],
  [4, "IV"],
  [1, "I"],
];
const ROMAN_MAX = 3999;

function romanOf(n: number): string {
  if (n < 1 || n > ROMAN_MAX) return "#".repeat(15);
  let [rest, out] = [n, ""];
  for (const [value, letters] of romanDigits) {
    for (; rest >= value; rest -= value) out += letters;
  }
  return out;
}

function romanText(n: number, pattern: NumberPattern): string {
  const roman = romanOf(n);
  return pattern.parts
    .map(({ keyword, literal }) => {
      if (keyword === null) return literal;
      if (keyword !== "RN" && keyword !== "rn") return otherThanRoman(keyword);
      const cased = keyword === "rn" ? roman.toLowerCase() : roman;
      return pattern.isBare ? cased : cased.padStart(15);
    })
    .join("");
}

/** What a comma or a currency leaves beside a Roman number. */
function otherThanRoman(keyword: NonNullable<NumberPart["keyword"]>): string {
  return keyword === "," || keyword === "G" || keyword === "L" ? " " : "";
}

// ---- writing ------------------------------------------------------------------------------------------------------

/** The digits by the pattern. */
class Writer {
  private out = "";
  private readonly pattern: NumberPattern;
  private readonly digits: Digits;
  /** Place in the digits, and of the pattern. */
  private at = 0;
  private place = 0;
  private inNumber = false;
  private signDone: boolean;
  private readonly lastPlace: number;
  /** The last digit that is not left out; -1: none is. */
  private readonly lastDigit: number;
  private readonly brackets: boolean;
  private readonly signAt: NumberPattern["sign"];
  private readonly zeroStart: number;

  constructor(pattern: NumberPattern, digits: Digits) {
    this.pattern = pattern;
    this.digits = digits;
    const { isBare, minus, plus } = pattern;
    this.brackets = pattern.brackets && (digits.negative || !isBare);
    // A place of its own: only a minus needs one beside PL.
    if (plus || minus) this.signDone = minus;
    else this.signDone = !digits.negative && isBare && pattern.sign === "none";
    const behind =
      pattern.sign === "before" && pattern.before === pattern.digitsBeforeSign && !minus && !plus;
    this.signAt = behind ? "behind" : pattern.sign;
    this.zeroStart = pattern.zeroStart > 0 ? pattern.zeroStart - 1 : 0;
    this.lastDigit = isBare && pattern.hasPoint ? this.lastRelevant() : -1;
    this.lastPlace = digits.before + digits.after - 1 + (!this.signDone && digits.blanks === 0 ? 1 : 0);
  }

  private lastRelevant(): number {
    const { text, blanks } = this.digits;
    const point = text.indexOf(".");
    if (point < 0) return -1;
    let last = point;
    for (let i = point + 1; i < text.length; i++) if (text[i] !== "0") last = i;
    if (this.pattern.zeroEnd <= blanks) return last;
    return Math.max(last, Math.min(text.length - 1, this.pattern.zeroEnd - blanks));
  }

  text(): string {
    for (const part of this.pattern.parts) this.write(part);
    // Places behind the last digit that a double has end the text.
    const end = this.out.indexOf("\0");
    return end < 0 ? this.out : this.out.slice(0, end);
  }

  private write({ keyword, literal }: NumberPart): void {
    const { isBare, hasPoint } = this.pattern;
    const { negative, text } = this.digits;
    switch (keyword) {
      case null:
        this.out += literal;
        return;
      case "9":
      case "0":
      case ".":
      case "D":
        this.writePlace(keyword);
        return;
      case ",":
      case "G":
        if (this.inNumber) this.out += ",";
        else if (!isBare) this.out += " ";
        return;
      case "L":
        this.out += " ";
        return;
      case "TH":
      case "th":
        if (!text.startsWith("#") && !negative && !hasPoint) this.out += ordinal(text, keyword);
        return;
      case "MI":
        if (negative) this.out += "-";
        else if (!isBare) this.out += " ";
        return;
      case "PL":
        if (!negative) this.out += "+";
        else if (!isBare) this.out += " ";
        return;
      case "SG":
        this.out += negative ? "-" : "+";
        return;
      default:
        return;
    }
  }

  /** A zero before the point is left out where the number has a fraction. */
  private isLeadingZero(): boolean {
    return !this.pattern.hasZero && this.at === 0 && this.digits.text[0] === "0" && this.digits.after > 0;
  }

  private endsAtPoint(): boolean {
    return this.lastDigit >= 0 && this.digits.text[this.lastDigit] === ".";
  }

  private writePlace(keyword: "9" | "0" | "." | "D"): void {
    const { hasZero, isBare } = this.pattern;
    const { blanks, text } = this.digits;
    this.inNumber = false;
    const begins = this.place >= blanks || (hasZero && this.zeroStart === this.place);
    if (!this.signDone && begins && (!this.isLeadingZero() || this.endsAtPoint())) this.writeSign();
    if (this.place < blanks) {
      if (hasZero && this.zeroStart <= this.place) {
        this.out += "0";
        this.inNumber = true;
      } else if (!isBare) this.out += " ";
    } else {
      this.writeDigit(keyword);
      if (this.at < text.length) this.at++;
    }
    this.writeEnd();
    this.place++;
  }

  private writeSign(): void {
    const { negative } = this.digits;
    if (this.signAt !== "none") {
      if (this.signAt === "behind") return;
      this.out += negative ? "-" : "+";
    } else if (this.brackets) this.out += negative ? "<" : " ";
    else if (negative) this.out += "-";
    else if (!this.pattern.isBare) this.out += " ";
    this.signDone = true;
  }

  private writeDigit(keyword: "9" | "0" | "." | "D"): void {
    const { isBare } = this.pattern;
    const digit = this.digits.text[this.at] ?? "\0";
    if (digit === ".") {
      if (!this.endsAtPoint() || isBare) this.out += ".";
    } else if (this.lastDigit >= 0 && this.at > this.lastDigit && keyword !== "0") {
      // A zero at the end of the fraction.
    } else if (this.isLeadingZero()) {
      if (!isBare) this.out += " ";
      else if (this.endsAtPoint()) this.out += "0";
    } else {
      this.out += digit;
      this.inNumber = true;
    }
  }

  /** Behind the last place stand a closing bracket and a sign. */
  private writeEnd(): void {
    const { negative, blanks } = this.digits;
    const cut = this.lastDigit >= 0 && this.lastDigit === this.at;
    const end = cut ? this.place : this.lastPlace + (blanks > 0 ? 1 : 0) + (this.pattern.hasPoint ? 1 : 0);
    if (this.place + 1 !== end) return;
    if (this.signDone && this.brackets) this.out += negative ? ">" : " ";
    else if (this.signAt === "behind") this.out += negative ? "-" : "+";
  }
}

function ordinal(digits: string, keyword: "TH" | "th"): string {
  const last = digits.at(-1)!;
  if (!/\d/.test(last))
    return fail(scalarError("invalid_value", `"${digits}" is not a number`, { sqlstate: "22P02" }), "");
  const teen = digits.length > 1 && digits.at(-2) === "1";
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][Number(last)] ?? "th");
  return keyword === "TH" ? ending.toUpperCase() : ending;
}

/** Null stands for no pattern at all. */
function byPattern(text: string, write: (pattern: NumberPattern) => string): string {
  if (text === "") return "";
  const pattern = numberPattern(text);
  return isPattern(pattern) ? write(pattern) : fail(pattern, "");
}

function written(pattern: NumberPattern, digits: Digits): string {
  return fault.error === null ? new Writer(pattern, digits).text() : "";
}

function integerText(type: "int4" | "int8", limit: bigint) {
  return (value: number | bigint, text: string): string =>
    byPattern(text, (pattern) => {
      const n = BigInt(value);
      if (pattern.isRoman) return romanText(n > INT4_MAX || n < 0n ? 0 : Number(n), pattern);
      if (!pattern.isScientific) return written(pattern, integerDigits(n, pattern, limit, type));
      return type === "int4"
        ? signed(n < 0n, scientificText(Number(n), pattern.after))
        : signed(n < 0n, scientificDecimal(n, 0, pattern.after));
    });
}

function decimalText(x: Decimal, text: string): string {
  return byPattern(text, (pattern) => {
    if (pattern.isRoman) {
      const whole = x.kind === FINITE ? rescaled(x.unscaled, x.scale, 0) : 0n;
      return romanText(whole > INT4_MAX || whole < 0n ? 0 : Number(whole), pattern);
    }
    if (!pattern.isScientific) return written(pattern, decimalDigits(x, pattern));
    if (x.kind !== FINITE) return hashed(pattern);
    const digits = scientificDecimal(absDecimal(x).unscaled, x.scale, pattern.after);
    return signed(x.unscaled < 0n, digits);
  });
}

function floatText(precision: number) {
  return (x: number, text: string): string =>
    byPattern(text, (pattern) => {
      if (pattern.isRoman) return romanText(Math.abs(x) <= INT4_MAX ? roundHalfEven(x) : 0, pattern);
      if (!pattern.isScientific) return written(pattern, floatDigits(x, pattern, precision));
      return Number.isFinite(x) ? signed(x < 0, scientificText(x, pattern.after)) : hashed(pattern);
    });
}

export const numberTextLibrary = {
  int4_to_char: integerText("int4", 2n ** 31n - 1n),
  int8_to_char: integerText("int8", 2n ** 63n - 1n),
  numeric_to_char: decimalText,
  float4_to_char: floatText(SINGLE_DIGITS),
  float8_to_char: floatText(DOUBLE_DIGITS),
};

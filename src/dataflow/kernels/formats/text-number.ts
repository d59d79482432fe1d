/**
 * to_number(text, pattern): the digits that stand where the pattern has 9, 0 and the point, and a sign before or behind them. Other keywords and
 * characters of the pattern pass over one character (or as many as they are written with) that is no part of a number.
 */
import { parseNumeric } from "../../../batch/format/numeric.ts";
import {
  type Decimal,
  DISPLAY_SCALE_MAX,
  decimal,
  decimalFromText,
  multiplyDecimals,
  ZERO,
} from "../decimal.ts";
import { powerDecimals } from "../decimal-math.ts";
import { attempt, fail, fault, scalarError } from "../errors.ts";
import { isPattern, type NumberKeyword, type NumberPattern, numberPattern } from "./number-pattern.ts";

const isDigit = (c: string | undefined) => c !== undefined && c >= "0" && c <= "9";

class Reader {
  private readonly text: readonly string[];
  private readonly pattern: NumberPattern;
  private at = 0;
  private sign = "";
  private digits = "";
  private pointSeen = false;
  private before = 0;
  after = 0;

  constructor(text: string, pattern: NumberPattern) {
    this.text = [...text];
    this.pattern = pattern;
  }

  private get ended(): boolean {
    return this.at >= this.text.length;
  }

  /** What numeric reads of it. */
  read(): string {
    for (const { keyword } of this.pattern.parts) {
      if (this.ended) break;
      if (keyword === null) this.at++;
      else this.take(keyword);
    }
    return this.sign + (this.digits.endsWith(".") ? this.digits.slice(0, -1) : this.digits);
  }

  private take(keyword: NumberKeyword): void {
    switch (keyword) {
      case "9":
      case "0":
      case ".":
      case "D":
        this.takePlace(keyword === "9" || keyword === "0");
        this.at++;
        return;
      case ",":
      case "G":
        // Outside of a number FM has no separators.
        if (!this.pattern.isBare && this.text[this.at] === ",") this.at++;
        return;
      case "TH":
      case "th":
        if (this.sign !== "-" && !this.pattern.hasPoint) this.skip(2);
        return;
      case "MI":
      case "SG":
        if (this.sign === "" && this.text[this.at] === "-") {
          this.sign = "-";
          this.at++;
        } else this.skip(1);
        return;
      case "L":
      case "PL":
        this.skip(1);
        return;
      default:
        return;
    }
  }

  private skip(count: number): void {
    for (let n = count; n > 0 && !this.ended && !"0123456789.,+-".includes(this.text[this.at]!); n--)
      this.at++;
  }

  private signHere(...minus: string[]): string {
    const c = this.text[this.at];
    return c === undefined ? "" : minus.includes(c) ? "-" : c === "+" ? "+" : "";
  }

  private takePlace(isDigitPlace: boolean): void {
    const { sign, brackets, plus, minus, hasPoint } = this.pattern;
    if (this.text[this.at] === " ") this.at++;
    if (this.ended) return;
    if (this.sign === "" && isDigitPlace && this.before + this.after === 0) {
      const isOwn = sign !== "before" && brackets;
      this.sign = isOwn ? this.signHere("-", "<") : this.signHere("-");
      if (this.sign !== "") this.at++;
    }
    if (this.ended) return;
    const taken = this.takeDigit(hasPoint);
    if (taken === "full" || this.ended) return;
    if (this.sign !== "" || this.before + this.after === 0) return;
    if (sign !== "none") {
      if (taken === "no" || this.at + 1 >= this.text.length || isDigit(this.text[this.at + 1])) return;
      this.at++;
      this.sign = this.signHere("-");
      if (this.sign === "") this.at--;
    } else if (taken === "no" && (plus || minus)) this.sign = this.signHere("-");
  }

  private takeDigit(hasPoint: boolean): "yes" | "no" | "full" {
    const c = this.text[this.at]!;
    if (isDigit(c)) {
      if (this.pointSeen && this.after === this.pattern.after) return "full";
      this.digits += c;
      if (this.pointSeen) this.after++;
      else this.before++;
      return "yes";
    }
    if (!hasPoint || this.pointSeen || c !== ".") return "no";
    this.digits += ".";
    this.pointSeen = true;
    return "yes";
  }
}

const scientificInput = scalarError("feature_not_supported", '"EEEE" not supported for input');
const invalidRoman = scalarError("invalid_value", "invalid Roman numeral", { sqlstate: "22P02" });

const romanValues: Readonly<Record<string, number>> = { I: 1, V: 5, X: 10, L: 50, C: 100, D: 500, M: 1000 };
const romanForm = /^M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})/;

function readRoman(text: string): Decimal {
  const letters = text.trimStart().toUpperCase();
  const roman = /^[IVXLCDM]*/.exec(letters)![0];
  if (roman === "" || romanForm.exec(roman)![0] !== roman) return fail(invalidRoman, ZERO);
  let value = 0;
  for (let i = 0; i < roman.length; i++) {
    const own = romanValues[roman[i]!]!;
    value += own < (romanValues[roman[i + 1] ?? ""] ?? 0) ? -own : own;
  }
  return decimal(BigInt(value), 0);
}

export function toNumber(text: string, patternText: string): Decimal | null {
  if (patternText === "") return null;
  const pattern = numberPattern(patternText);
  if (!isPattern(pattern)) return fail(pattern, ZERO);
  if (pattern.isScientific) return fail(scientificInput, ZERO);
  if (pattern.isRoman) return readRoman(text);
  const reader = new Reader(text, pattern);
  const read = reader.read();
  const scale = Math.min(reader.after, DISPLAY_SCALE_MAX);
  const precision = pattern.before + pattern.shift + scale;
  const type = precision === 0 ? undefined : ({ name: "numeric", precision, scale } as const);
  const value = attempt(
    (written: string) => decimalFromText(parseNumeric(written, type)),
    read === "" ? " " : read,
    ZERO,
  );
  if (fault.error !== null || !pattern.hasShift) return value;
  return multiplyDecimals(value, powerDecimals(decimal(10n, 0), decimal(BigInt(-pattern.shift), 0)));
}

/**
 * The patterns of to_char(number) and to_number: a row of keywords (the longest that fits counts), quoted texts, and other characters, which
 * stand for themselves. What a pattern as a whole says of its number is summed up beside its parts.
 */
import { type ScalarError, scalarError } from "../errors.ts";

export type NumberKeyword =
  | ","
  | "."
  | "0"
  | "9"
  | "B"
  | "C"
  | "D"
  | "EEEE"
  | "FM"
  | "G"
  | "L"
  | "MI"
  | "PL"
  | "PR"
  | "RN"
  | "rn"
  | "S"
  | "SG"
  | "SP"
  | "TH"
  | "th"
  | "V";

/** A keyword, or characters that stand for themselves. */
export type NumberPart =
  | { readonly keyword: NumberKeyword; readonly literal: null }
  | { readonly keyword: null; readonly literal: string };

export interface NumberPattern {
  readonly parts: readonly NumberPart[];
  /** Digits before the point, and behind it. */
  readonly before: number;
  readonly after: number;
  /** Digits behind V: the number is shown times ten to so much. */
  readonly shift: number;
  /** Place of the first 0 before the point, from 1, and of the last 0; 0 without one. */
  readonly zeroStart: number;
  readonly zeroEnd: number;
  readonly hasZero: boolean;
  readonly hasPoint: boolean;
  readonly hasShift: boolean;
  readonly isBare: boolean;
  readonly isScientific: boolean;
  readonly isRoman: boolean;
  /** PR. */
  readonly brackets: boolean;
  readonly minus: boolean;
  readonly plus: boolean;
  /** S: where it stands, and how many digits before it. */
  readonly sign: "none" | "before" | "behind";
  readonly digitsBeforeSign: number;
}

type Draft = { -readonly [K in keyof NumberPattern]: NumberPattern[K] };

const keywords = ", . 0 9 B C D EEEE FM G L MI PL PR RN SG SP S TH V".split(" ");
const spellings = [...keywords, ...keywords.filter((k) => /[A-Z]/.test(k)).map((k) => k.toLowerCase())]
  .sort((a, b) => b.length - a.length)
  .map((k) => k.replace(".", "\\."));
const element = new RegExp(
  `(${spellings.join("|")})|"((?:[^"\\\\]|\\\\[\\s\\S]|\\\\$)*)"?|\\\\(")|([\\s\\S])`,
  "gu",
);

function refused(message: string): ScalarError {
  return scalarError("syntax_error", message);
}

const onlyDigits = "may only be used together with digit and decimal point patterns.";

const cache = new Map<string, NumberPattern | ScalarError>();

/** The pattern, or what is wrong with it. */
export function numberPattern(text: string): NumberPattern | ScalarError {
  let known = cache.get(text);
  if (known === undefined) {
    if (cache.size >= 1000) cache.clear();
    cache.set(text, (known = read(text)));
  }
  return known;
}

export function isPattern(read: NumberPattern | ScalarError): read is NumberPattern {
  return "parts" in read;
}

function read(text: string): NumberPattern | ScalarError {
  const parts: NumberPart[] = [];
  const draft: Draft = {
    parts,
    before: 0,
    after: 0,
    shift: 0,
    zeroStart: 0,
    zeroEnd: 0,
    hasZero: false,
    hasPoint: false,
    hasShift: false,
    isBare: false,
    isScientific: false,
    isRoman: false,
    brackets: false,
    minus: false,
    plus: false,
    sign: "none",
    digitsBeforeSign: 0,
  };
  const seen = { blank: false };
  for (const [, word, quoted, quote, other] of text.matchAll(element)) {
    if (word === undefined) {
      const literal = quoted === undefined ? (quote ?? other!) : quoted.replace(/\\([\s\S])/g, "$1");
      parts.push(...[...literal].map((character) => ({ keyword: null, literal: character })));
      continue;
    }
    const keyword = (word === "th" || word === "rn" ? word : word.toUpperCase()) as NumberKeyword;
    const error = take(keyword, draft, seen);
    if (error !== null) return error;
    parts.push({ keyword, literal: null });
  }
  return draft;
}

function take(keyword: NumberKeyword, draft: Draft, seen: { blank: boolean }): ScalarError | null {
  if (draft.isScientific && keyword !== "EEEE") return refused('"EEEE" must be the last pattern used');
  const error = note(keyword, draft, seen);
  if (error !== null) return error;
  const others =
    draft.before > 0 ||
    draft.after > 0 ||
    draft.hasZero ||
    draft.hasPoint ||
    draft.hasShift ||
    draft.brackets;
  const signs = draft.minus || draft.plus || draft.sign !== "none" || seen.blank || draft.isScientific;
  if (
    draft.isRoman &&
    ((others && (draft.hasZero || draft.hasPoint || draft.hasShift || draft.brackets)) || signs)
  ) {
    return scalarError("syntax_error", '"RN" is incompatible with other formats', {
      detail: '"RN" may only be used together with "FM".',
    });
  }
  return null;
}

function note(keyword: NumberKeyword, draft: Draft, seen: { blank: boolean }): ScalarError | null {
  const hasSign = draft.sign !== "none";
  switch (keyword) {
    case "9":
    case "0":
      if (draft.brackets) return refused(`"${keyword}" must be ahead of "PR"`);
      if (keyword === "9" && draft.hasShift) {
        draft.shift++;
        return null;
      }
      if (keyword === "0" && !draft.hasZero && !draft.hasPoint) {
        draft.hasZero = true;
        draft.zeroStart = draft.before + 1;
      }
      if (draft.hasPoint) draft.after++;
      else draft.before++;
      if (keyword === "0") draft.zeroEnd = draft.before + draft.after;
      return null;
    case "B":
      if (draft.before === 0 && draft.after === 0 && !draft.hasZero) seen.blank = true;
      return null;
    case "D":
    case ".":
      if (draft.hasPoint) return refused("multiple decimal points");
      if (draft.hasShift) return refused('cannot use "V" and decimal point together');
      draft.hasPoint = true;
      return null;
    case "FM":
      draft.isBare = true;
      return null;
    case "S":
      if (hasSign) return refused('cannot use "S" twice');
      if (draft.plus || draft.minus || draft.brackets)
        return refused('cannot use "S" and "PL"/"MI"/"SG"/"PR" together');
      draft.sign = draft.hasPoint ? "behind" : "before";
      draft.digitsBeforeSign = draft.before;
      return null;
    case "MI":
    case "PL":
    case "SG":
      if (hasSign) return refused(`cannot use "S" and "${keyword}" together`);
      draft.minus ||= keyword !== "PL";
      draft.plus ||= keyword !== "MI";
      return null;
    case "PR":
      if (hasSign || draft.plus || draft.minus)
        return refused('cannot use "PR" and "S"/"PL"/"MI"/"SG" together');
      draft.brackets = true;
      return null;
    case "RN":
    case "rn":
      if (draft.isRoman) return refused('cannot use "RN" twice');
      draft.isRoman = true;
      return null;
    case "V":
      if (draft.hasPoint) return refused('cannot use "V" and decimal point together');
      draft.hasShift = true;
      return null;
    case "EEEE": {
      if (draft.isScientific) return refused('cannot use "EEEE" twice');
      const other = seen.blank || draft.isBare || hasSign || draft.brackets || draft.minus || draft.plus;
      if (other || draft.isRoman || draft.hasShift) {
        return scalarError("syntax_error", '"EEEE" is incompatible with other formats', {
          detail: `"EEEE" ${onlyDigits}`,
        });
      }
      draft.isScientific = true;
      return null;
    }
    default:
      return null;
  }
}

/**
 * Patterns of to_char for times and intervals. A pattern is a row of keywords (the longest that fits counts), quoted texts and other characters,
 * which stand for themselves. Before a keyword FM leaves out padding and zeros in front, TM asks for names in the language, which is English; behind
 * it TH and th add the ending of an ordinal number. Of prefixes in a row one is taken; it goes, too, where it has no keyword behind it. FX, which is
 * about reading, is a keyword that writes nothing.
 */

const inBothCases =
  "A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY D FF1 FF2 FF3 FF4 FF5 FF6 HH24 HH12 HH IDDD ID IW IYYY IYY IY I J MI MM MONTH MON MS OF P.M. " +
  "PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y";
const keywords = [
  ...inBothCases.split(" "),
  ...inBothCases.toLowerCase().split(" "),
  "Day",
  "Dy",
  "Month",
  "Mon",
];
const alternatives = keywords
  .sort((a, b) => b.length - a.length)
  .map((k) => k.replaceAll(".", "\\."))
  .join("|");
const element = new RegExp(
  `(FM|fm|TM|tm)?(?:(${alternatives})(TH|th|SP)?|"((?:[^"\\\\]|\\\\[\\s\\S])*)"?|\\\\(")|(?:FX|fx)(?:TH|th|SP)?|([\\s\\S])|$)`,
  "gu",
);

/** What of a pattern stands for itself, or a keyword. */
type Part = string | Keyword;

interface Keyword {
  readonly keyword: string;
  /** FM stands before it. */
  readonly bare: boolean;
  /** TM stands before it. */
  readonly local: boolean;
  /** The ending of an ordinal number behind it. */
  readonly after: "TH" | "th" | null;
}

/** A pattern taken apart, to be written often. */
export type Pattern = readonly Part[];

export function parsePattern(pattern: string): Pattern {
  const parts: Part[] = [];
  for (const [, before = "", keyword, after, quoted, quote, other = ""] of pattern.matchAll(element)) {
    if (keyword !== undefined) {
      const ending = after === "TH" || after === "th" ? after : null;
      parts.push({ keyword, bare: /FM/i.test(before), local: /TM/i.test(before), after: ending });
      continue;
    }
    const itself = quoted?.replace(/\\([\s\S])/g, "$1") ?? quote ?? other;
    const last = parts[parts.length - 1];
    if (typeof last === "string") parts[parts.length - 1] = last + itself;
    else parts.push(itself);
  }
  return parts;
}

let lastText = "";
let lastPattern: Pattern = [];

/** As parsePattern; the same pattern again costs nothing. */
export function patternOf(text: string): Pattern {
  if (text !== lastText) {
    lastPattern = parsePattern(text);
    lastText = text;
  }
  return lastPattern;
}

/** The pattern with each keyword as `shown` has it. */
export function writePattern(
  pattern: Pattern,
  shown: (keyword: string, bare: boolean, local: boolean) => string,
): string {
  let written = "";
  for (const part of pattern) {
    if (typeof part === "string") {
      written += part;
      continue;
    }
    const text = shown(part.keyword, part.bare, part.local);
    written += part.after !== null && /^-?\d+$/.test(text) ? text + ordinal(text, part.after) : text;
  }
  return written;
}

function ordinal(digits: string, after: "TH" | "th"): string {
  const n = Number(digits.replace("-", "").slice(-2));
  const ending = n > 10 && n < 20 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return after === "TH" ? ending.toUpperCase() : ending;
}

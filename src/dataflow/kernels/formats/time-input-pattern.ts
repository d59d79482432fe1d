/**
 * The patterns of to_date and to_timestamp, read as parts: a keyword (the longest that fits), a blank, a separator (any other character that is
 * neither letter nor digit), and what stands for itself: letters, digits, and all that is quoted.
 */

export interface TimePart {
  readonly kind: "keyword" | "blank" | "separator" | "character";
  /** The keyword as it is written, without FM and TH; or the character. */
  readonly text: string;
  /** FM: as many digits as there are. */
  readonly free: boolean;
  /** TH: two characters behind it are passed over. */
  readonly ordinal: boolean;
}

const both =
  "A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY D FF1 FF2 FF3 FF4 FF5 FF6 FX HH24 HH12 HH IDDD ID IW IYYY IYY IY I J MI MM MONTH MON MS OF P.M. " +
  "PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y";
const keywords = [...both.split(" "), ...both.toLowerCase().split(" "), "Day", "Dy", "Month", "Mon"]
  .sort((a, b) => b.length - a.length)
  .map((k) => k.replaceAll(".", "\\."))
  .join("|");
const element = new RegExp(
  `((?:FM|fm|TM|tm)*)(${keywords})((?:TH|th|SP)*)|"((?:[^"\\\\]|\\\\[\\s\\S])*)"?|\\\\(")|([\\s\\S])`,
  "gu",
);

const cache = new Map<string, readonly TimePart[]>();

export function timeParts(pattern: string): readonly TimePart[] {
  let known = cache.get(pattern);
  if (known === undefined) {
    if (cache.size >= 1000) cache.clear();
    cache.set(pattern, (known = read(pattern)));
  }
  return known;
}

function read(pattern: string): readonly TimePart[] {
  const parts: TimePart[] = [];
  const plain = { free: false, ordinal: false };
  for (const [, before, keyword, behind, quoted, quote, other] of pattern.matchAll(element)) {
    if (keyword !== undefined) {
      const [free, ordinal] = [/FM/i.test(before!), /TH/i.test(behind!)];
      parts.push({ kind: "keyword", text: keyword, free, ordinal });
    } else if (quoted !== undefined) {
      const literal = [...quoted.replace(/\\([\s\S])/g, "$1")];
      parts.push(...literal.map((text) => ({ kind: "character" as const, text, ...plain })));
    } else {
      const text = quote ?? other!;
      parts.push({ kind: quote === undefined ? kindOf(text) : "character", text, ...plain });
    }
  }
  return parts;
}

function kindOf(c: string): TimePart["kind"] {
  if (/[ \t-\r]/.test(c)) return "blank";
  return isSeparator(c) ? "separator" : "character";
}

export function isSeparator(c: string): boolean {
  return c > " " && c < "\x7f" && !/[A-Za-z0-9]/.test(c);
}

const wordKeywords = /^([ABP]\.[DCM]\.|AD|BC|AM|PM|DAY|DY|MONTH|MON|RM|FX|OF|TZ|TZH)$/i;

/** Whether the digits of a field end where the pattern goes on. */
export function endsDigits(parts: readonly TimePart[], at: number): boolean {
  if (parts[at]!.ordinal) return true;
  const next = parts[at + 1];
  if (next === undefined) return true;
  if (next.kind === "keyword") return wordKeywords.test(next.text);
  return !/^\d$/.test(next.text);
}

/** Classes of characters as PostgreSQL's C.UTF-8 has them: Unicode's properties, but digits and hexadecimal digits are ASCII's. */

/** Whether a code point is in a set. */
export type Test = (code: number) => boolean;

function property(pattern: RegExp): Test {
  return (code) => pattern.test(String.fromCodePoint(code));
}

const isAlpha = property(/\p{Alphabetic}/u);
const isDigit: Test = (c) => c >= 48 && c <= 57;

const classes: Readonly<Record<string, Test>> = {
  alpha: isAlpha,
  digit: isDigit,
  alnum: (c) => isDigit(c) || isAlpha(c),
  upper: property(/\p{Uppercase}/u),
  lower: property(/\p{Lowercase}/u),
  space: property(/\p{White_Space}/u),
  blank: (c) => c === 9 || property(/\p{Zs}/u)(c),
  punct: property(/[\p{P}$+<=>^`|~]/u),
  cntrl: property(/\p{Cc}/u),
  graph: property(/[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]/u),
  print: property(/[^\p{Cc}\p{Cs}\p{Cn}\u2028\u2029]/u),
  xdigit: property(/[0-9A-Fa-f]/),
  ascii: (c) => c < 128,
  word: (c) => isWord(c),
};

export function classTest(name: string): Test | null {
  return Object.hasOwn(classes, name) ? classes[name]! : null;
}

export function isWord(code: number): boolean {
  return code === 95 || isDigit(code) || (code < 128 ? isAsciiLetter(code) : isAlpha(code));
}

function isAsciiLetter(code: number): boolean {
  const lower = code | 32;
  return lower >= 97 && lower <= 122;
}

/** The character in both cases. */
export function caseVariants(code: number): number[] {
  const c = String.fromCodePoint(code);
  // A case that takes several characters is no variant of one.
  const single = [c.toLowerCase(), c.toUpperCase()].filter((v) => Array.from(v).length === 1);
  return [...new Set([code, ...single.map((v) => v.codePointAt(0)!)])];
}

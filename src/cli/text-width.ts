/**
 * How many columns of a terminal a text takes: two for what East Asian scripts and emoji draw wide, none for marks that
 * join the character before them.
 */
const narrow = /^[\u0020-\u007e\u00a0-\u02ff]*$/;
const invisible = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;
const emoji = /\p{Emoji_Presentation}|\ufe0f/u;

/** The blocks of Unicode's East Asian Width W and F, as pairs of first and last. */
const wideRanges = [
  0x1100, 0x115f, 0x231a, 0x231b, 0x2329, 0x232a, 0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf, 0x4e00,
  0xa4cf, 0xa960, 0xa97c, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe10, 0xfe19, 0xfe30, 0xfe6f, 0xff01, 0xff60,
  0xffe0, 0xffe6, 0x16fe0, 0x18cff, 0x1aff0, 0x1b2ff, 0x1f200, 0x1f2ff, 0x20000, 0x3fffd,
];

const characters = new Intl.Segmenter("en", { granularity: "grapheme" });

export function textWidth(text: string): number {
  if (narrow.test(text)) return text.length;
  let width = 0;
  for (const { segment } of characters.segment(text)) width += characterWidth(segment);
  return width;
}

function characterWidth(character: string): number {
  if (invisible.test(character)) return 0;
  return emoji.test(character) || isWide(character.codePointAt(0)!) ? 2 : 1;
}

function isWide(code: number): boolean {
  for (let i = 0; i < wideRanges.length; i += 2) {
    if (code >= wideRanges[i]! && code <= wideRanges[i + 1]!) return true;
  }
  return false;
}

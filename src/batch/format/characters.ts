/** char(n) and varchar(n): how many characters there are and how many there may be. */
import { EvertError } from "../../base/errors.ts";

/** char(n) and varchar(n) from text that is stored or assigned: blanks beyond n are cut off, anything else is too long. */
export function fitText(text: string, length: number | undefined, padded: boolean): string {
  if (length === undefined) return text;
  const count = charCount(text);
  if (count <= length) return padded ? text + " ".repeat(length - count) : text;
  const cut = cutText(text, length);
  if (/^ *$/.test(text.slice(cut.length))) return cut;
  throw new EvertError(
    "string_too_long",
    `value too long for type character${padded ? "" : " varying"}(${length})`,
  );
}

/** The same by an explicit cast: cut off, whatever is lost. */
export function cutToFit(text: string, length: number | undefined, padded: boolean): string {
  if (length === undefined) return text;
  const count = charCount(text);
  if (count > length) return cutText(text, length);
  return padded ? text + " ".repeat(length - count) : text;
}

export function charCount(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xdc00 || unit > 0xdfff) count++;
  }
  return count;
}

function cutText(text: string, length: number): string {
  let at = 0;
  for (let taken = 0; taken < length; taken++) {
    const unit = text.charCodeAt(at);
    at += unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
  }
  return text.slice(0, at);
}

/** A bpchar as text: without the blanks at its end, which do not count. */
export function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x20) end--;
  return text.slice(0, end);
}

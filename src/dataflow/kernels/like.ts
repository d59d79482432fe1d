/**
 * LIKE: % is any text, _ any one character, backslash takes the next character as it is.
 *
 * A pattern is read once into tokens. Matching keeps one way back: when a token after a % fails, only the last % takes one
 * character more. (An earlier % never needs to: the later one could take the same characters.) So the work is at most pattern times
 * text, whatever the pattern.
 */
import { fail, scalarError } from "./errors.ts";

const ANY_TEXT = -1;
const ANY_CHARACTER = -2;
/** A backslash at the end: an error once the match gets there. */
const DANGLING = -3;

const danglingEscape = scalarError("invalid_escape", "LIKE pattern must not end with escape character");
const badEscape = scalarError("invalid_escape", "invalid escape string", {
  hint: "Escape string must be empty or one character.",
});

export type Matcher = (s: string) => boolean;

/** Code points, or one of the tokens above. */
function tokenize(pattern: string): Int32Array {
  const tokens: number[] = [];
  let escaped = false;
  for (const c of pattern) {
    if (!escaped && c === "\\") {
      escaped = true;
      continue;
    }
    if (!escaped && c === "%") tokens.push(ANY_TEXT);
    else if (!escaped && c === "_") tokens.push(ANY_CHARACTER);
    else tokens.push(c.codePointAt(0)!);
    escaped = false;
  }
  if (escaped) tokens.push(DANGLING);
  return Int32Array.from(tokens);
}

export function likeMatcher(pattern: string): Matcher {
  return simpleMatcher(pattern) ?? tokenMatcher(tokenize(pattern));
}

/** Patterns that are a prefix, suffix, part or the whole. */
function simpleMatcher(pattern: string): Matcher | undefined {
  const found = /^(%?)([^%_\\]*)(%?)$/.exec(pattern);
  if (found === null) return undefined;
  const part = found[2]!;
  const open = found[1] !== "";
  if (found[3] === "") return open ? (s) => s.endsWith(part) : (s) => s === part;
  return open ? (s) => s.includes(part) : (s) => s.startsWith(part);
}

function tokenMatcher(tokens: Int32Array): Matcher {
  return (s) => {
    let t = 0;
    let at = 0;
    let retryToken = -1;
    let retryAt = 0;
    while (at < s.length) {
      const token = t < tokens.length ? tokens[t]! : undefined;
      if (token === DANGLING) return fail(danglingEscape, false);
      if (token === ANY_TEXT) {
        retryToken = ++t;
        retryAt = at;
        continue;
      }
      const c = s.codePointAt(at)!;
      const width = c > 0xffff ? 2 : 1;
      if (token === c || token === ANY_CHARACTER) {
        t++;
        at += width;
      } else if (retryToken >= 0) {
        retryAt += s.codePointAt(retryAt)! > 0xffff ? 2 : 1;
        at = retryAt;
        t = retryToken;
      } else return false;
    }
    while (t < tokens.length && tokens[t] === ANY_TEXT) t++;
    return t === tokens.length;
  };
}

/** The last pattern's matcher is kept: patterns rarely change from row to row. */
let known: { pattern: string; matcher: Matcher } = { pattern: "", matcher: likeMatcher("") };

export function like(s: string, pattern: string): boolean {
  if (known.pattern !== pattern) known = { pattern, matcher: likeMatcher(pattern) };
  return known.matcher(s);
}

/** The pattern with `mark` as its escape character, rewritten to the backslash. */
export function likeEscape(pattern: string, mark: string): string {
  if (Array.from(mark).length > 1) return fail(badEscape, "");
  if (mark === "\\") return pattern;
  if (mark === "") return pattern.replaceAll("\\", "\\\\");
  let out = "";
  let escaped = false;
  for (const c of pattern) {
    if (c === mark && !escaped) {
      out += "\\";
      escaped = true;
      continue;
    }
    out += c === "\\" && !escaped ? "\\\\" : c;
    escaped = false;
  }
  return out;
}

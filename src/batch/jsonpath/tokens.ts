/** The words of a jsonpath: strings, variables, numbers, names and signs; comments are blanks. */

import { isWellFormed } from "../../base/bytes.ts";
import { EvertError } from "../../base/errors.ts";
import { parseNumeric } from "../format/numeric.ts";

export interface Token {
  readonly kind: "sign" | "name" | "string" | "variable" | "number" | "end";
  /** Decoded: a name without its escapes, a number as numeric has it. */
  readonly text: string;
  /** As it is written. */
  readonly source: string;
  /** What messages call it: of a name, as PostgreSQL has it, what has ended it. */
  readonly near: string;
}

type Raw = Omit<Token, "near">;

const signs = ["&&", "||", "==", "!=", "<>", "<=", ">=", "**", ..."?%$.[]{}()|&!=<>@#,*:-+/"];
const special = '?%$.[]{}()|&!=<>@#,*:-+/" \t\n\r\f\\';

export function syntaxError(at: string): EvertError {
  const where = at === "" ? "at end" : `at or near "${at}"`;
  return new EvertError("syntax_error", `syntax error ${where} of jsonpath input`);
}

export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const blank = /^(?:[ \t\n\r\f]+|\/\*[\s\S]*?\*\/)/.exec(
      text.slice(at, at + 2) === "/*" ? text.slice(at) : text[at]!,
    );
    if (blank !== null) {
      at += blank[0].length;
      continue;
    }
    if (text.startsWith("/*", at)) {
      throw new EvertError("syntax_error", "unexpected end of comment at end of jsonpath input");
    }
    const token = next(text, at);
    at += token.source.length;
    tokens.push({ ...token, near: token.kind === "name" ? (text[at] ?? "") : token.source });
  }
  return [...tokens, { kind: "end", text: "", source: "", near: "" }];
}

const numberForm =
  /^(?:0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0[oO][0-7]+(?:_[0-7]+)*|0[bB][01]+(?:_[01]+)*|(?:(?:0|[1-9]\d*(?:_\d+)*)(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?)/;

function next(text: string, at: number): Raw {
  const c = text[at]!;
  if (c === '"') return quoted(text, at, "string", at + 1);
  if (c === "$" && text[at + 1] === '"') return quoted(text, at, "variable", at + 2);
  if (c === "$" && at + 1 < text.length && !special.includes(text[at + 1]!)) {
    const name = nameAt(text, at + 1);
    return { kind: "variable", text: name.text, source: `$${name.source}` };
  }
  if (/\d/.test(c) || (c === "." && /\d/.test(text[at + 1] ?? ""))) return numberAt(text, at);
  const sign = signs.find((s) => text.startsWith(s, at));
  if (sign !== undefined) return { kind: "sign", text: sign, source: sign };
  return { kind: "name", ...nameAt(text, at) };
}

function numberAt(text: string, at: number): Raw {
  const source = numberForm.exec(text.slice(at))?.[0] ?? text[at]!;
  const behind = text[at + source.length];
  if (behind !== undefined && /[\p{L}\p{N}_]/u.test(behind)) {
    throw new EvertError(
      "syntax_error",
      `trailing junk after numeric literal at or near "${source}${behind}" of jsonpath input`,
    );
  }
  return { kind: "number", text: parseNumeric(source), source };
}

function nameAt(text: string, from: number): { text: string; source: string } {
  let out = "";
  let at = from;
  while (at < text.length) {
    if (text[at] === "\\") {
      const [character, end] = escaped(text, at);
      out += character;
      at = end;
    } else if (special.includes(text[at]!)) break;
    else out += text[at++];
  }
  return { text: checked(out), source: text.slice(from, at) };
}

function quoted(text: string, start: number, kind: "string" | "variable", from: number): Raw {
  let out = "";
  for (let at = from; ; ) {
    const c = text[at];
    if (c === undefined) {
      throw new EvertError("syntax_error", "unterminated quoted string at end of jsonpath input");
    }
    if (c === '"') return { kind, text: checked(out), source: text.slice(start, at + 1) };
    if (c === "\\") {
      const [character, end] = escaped(text, at);
      out += character;
      at = end;
    } else {
      out += c;
      at++;
    }
  }
}

function checked(text: string): string {
  if (isWellFormed(text) && !text.includes("\0")) return text;
  throw new EvertError("untranslatable_character", "unsupported Unicode escape sequence");
}

const letters: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** The character, and where the text goes on. */
function escaped(text: string, at: number): [string, number] {
  const [all, wide, four, two] =
    /^\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))/.exec(text.slice(at, at + 12)) ?? [];
  if (all !== undefined) {
    const code = Number.parseInt((wide ?? four ?? two)!, 16);
    if (code > 0x10ffff) throw syntaxError(all);
    return [String.fromCodePoint(code), at + all.length];
  }
  const c = text[at + 1];
  if (c === undefined)
    throw new EvertError("syntax_error", "unexpected end after backslash at end of jsonpath input");
  if (c === "u")
    throw new EvertError(
      "syntax_error",
      `invalid Unicode escape sequence at or near "\\u" of jsonpath input`,
    );
  if (c === "x")
    throw new EvertError(
      "syntax_error",
      `invalid hexadecimal character sequence at or near "\\x" of jsonpath input`,
    );
  return [letters[c] ?? c, at + 2];
}

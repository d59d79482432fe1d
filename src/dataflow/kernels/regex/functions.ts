/** The functions of regular expressions: options, matchers kept from call to call, and what is made of the matches. */
import { formatArray, listOf } from "../../../batch/format/array.ts";
import { fail, fault, type ScalarError, scalarError } from "../errors.ts";
import { TooManySteps } from "./machine.ts";
import { type Captures, Matcher } from "./match.ts";
import { similarPattern } from "./similar.ts";
import { BadPattern, BasicPattern, type Options, parsePattern, plainOptions, withFlag } from "./syntax.ts";

const MATCHERS_KEPT = 100;

const tooManySteps = scalarError(
  "invalid_regular_expression",
  "regular expression failed: too many steps for this text",
  { hint: "Make the pattern more specific, or the text shorter." },
);

/** By options and pattern, in the order of last use. */
const matchers = new Map<string, Matcher>();

/** A loop asks for the same one again and again. */
let last: { readonly pattern: string; readonly options: Options; readonly matcher: Matcher } | null = null;

/** null: the pattern is none; the error is in `fault`. */
function matcherOf(pattern: string, options: Options): Matcher | null {
  if (last !== null && last.pattern === pattern && last.options === options) return last.matcher;
  const key = `${options.ignoreCase}${options.dotStops}${options.lineAnchors}${options.expanded}${options.literal}:${pattern}`;
  let matcher = matchers.get(key);
  if (matcher === undefined) {
    try {
      matcher = new Matcher(parsePattern(pattern, options));
    } catch (error) {
      if (!(error instanceof BadPattern)) throw error;
      if (error instanceof BasicPattern) return fail(basicPattern, null);
      return fail(
        scalarError("invalid_regular_expression", `invalid regular expression: ${error.message}`),
        null,
      );
    }
  } else matchers.delete(key);
  last = { pattern, options, matcher };
  matchers.set(key, matcher);
  if (matchers.size > MATCHERS_KEPT) matchers.delete(matchers.keys().next().value!);
  return matcher;
}

function bounded<T>(run: () => T, otherwise: T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof TooManySteps) return fail(tooManySteps, otherwise);
    throw error;
  }
}

/** A text as code points: what positions count. */
class Subject {
  readonly codes: Int32Array;
  readonly #text: string;
  readonly #isPlain: boolean;

  constructor(text: string) {
    this.#text = text;
    this.#isPlain = !/[\ud800-\udfff]/.test(text);
    if (this.#isPlain) {
      this.codes = new Int32Array(text.length);
      for (let i = 0; i < text.length; i++) this.codes[i] = text.charCodeAt(i);
    } else this.codes = Int32Array.from(Array.from(text), (c) => c.codePointAt(0)!);
  }

  get length(): number {
    return this.codes.length;
  }

  slice(from: number, to: number): string {
    if (this.#isPlain) return this.#text.slice(from, to);
    let out = "";
    for (let i = from; i < to; i++) out += String.fromCodePoint(this.codes[i]!);
    return out;
  }

  group(captures: Captures, index: number): string | null {
    const from = captures[2 * index]!;
    return from < 0 ? null : this.slice(from, captures[2 * index + 1]!);
  }
}

// ---- options ----------------------------------------------------------------------------------------------------

interface Flags {
  readonly options: Options;
  readonly global: boolean;
}

/** What PostgreSQL takes, and is another language: no bad pattern. */
const basicPattern = scalarError(
  "feature_not_supported",
  'basic regular expressions (option "b") are not supported yet',
);

/** null: an option that is none. `caller`: a function that takes no g. */
function readFlags(flags: string, caller: string | null, hint?: string): Flags | null {
  let options = plainOptions;
  let global = false;
  for (const flag of flags) {
    if (flag === "g") {
      global = true;
      continue;
    }
    if (flag === "b") return fail(basicPattern, null);
    const changed = withFlag(options, flag);
    if (changed === null) {
      return fail(scalarError("invalid_argument", `invalid regular expression option: "${flag}"`), null);
    }
    options = changed;
  }
  if (global && caller !== null) {
    const details = hint === undefined ? {} : { hint };
    return fail(
      scalarError("invalid_argument", `${caller}() does not support the "global" option`, details),
      null,
    );
  }
  return { options, global };
}

function badParameter(name: string, value: number): ScalarError {
  return scalarError("invalid_argument", `invalid value for parameter "${name}": ${value}`);
}

// ---- matches ----------------------------------------------------------------------------------------------------

/** Whether the pattern is found in the text. */
export function testPattern(text: string, pattern: string, options: Options): boolean {
  const matcher = matcherOf(pattern, options);
  return matcher !== null && bounded(() => matcher.test(new Subject(text).codes), false);
}

/** Matches one after the other; after an empty one the search goes on a character later. */
function* matchesOf(matcher: Matcher, subject: Subject, from: number): Generator<Captures> {
  for (let at = from; at <= subject.length; ) {
    const found = matcher.find(subject.codes, at);
    if (found === null) return;
    yield found;
    at = found[1]! > found[0]! ? found[1]! : found[1]! + 1;
  }
}

/** The nth match from `start` on; null without. */
function nthMatch(text: string, pattern: string, start: number, nth: number, options: Options) {
  const matcher = matcherOf(pattern, options);
  if (matcher === null) return null;
  const subject = new Subject(text);
  return bounded(() => {
    let left = nth;
    for (const captures of matchesOf(matcher, subject, start - 1)) {
      if (--left === 0) return { subject, captures, groups: matcher.pattern.groups };
    }
    return null;
  }, null);
}

function substring(text: string, pattern: string): string | null {
  const found = nthMatch(text, pattern, 1, 1, plainOptions);
  return found === null ? null : found.subject.group(found.captures, found.groups > 0 ? 1 : 0);
}

/** The groups of a match, or the match where there are none. */
function groupsOf(subject: Subject, captures: Captures, groups: number): string {
  if (groups === 0) return formatArray(listOf([subject.group(captures, 0)]));
  const items = Array.from({ length: groups }, (_, i) => subject.group(captures, i + 1));
  return formatArray(listOf(items));
}

/** The match asked for last: WHERE and SELECT ask for the same one of a row. */
let lastMatch: { text: string; pattern: string; flags: string; groups: string | null } | null = null;

function match(text: string, pattern: string, flags = ""): string | null {
  if (lastMatch?.text === text && lastMatch.pattern === pattern && lastMatch.flags === flags)
    return lastMatch.groups;
  const read = readFlags(flags, "regexp_match", "Use the regexp_matches function instead.");
  if (read === null) return null;
  const found = nthMatch(text, pattern, 1, 1, read.options);
  const groups = found === null ? null : groupsOf(found.subject, found.captures, found.groups);
  if (fault.error === null) lastMatch = { text, pattern, flags, groups };
  return groups;
}

/** regexp_matches: one row per match, the first alone without g. */
export function matchRows(text: string, pattern: string, flags = ""): string[] {
  const read = readFlags(flags, null);
  const matcher = read === null ? null : matcherOf(pattern, read.options);
  if (read === null || matcher === null) return [];
  const subject = new Subject(text);
  return bounded(() => {
    const rows: string[] = [];
    for (const captures of matchesOf(matcher, subject, 0)) {
      rows.push(groupsOf(subject, captures, matcher.pattern.groups));
      if (!read.global) break;
    }
    return rows;
  }, []);
}

function count(text: string, pattern: string, start = 1, flags = ""): number {
  if (start <= 0) return fail(badParameter("start", start), 0);
  const read = readFlags(flags, "regexp_count");
  const matcher = read === null ? null : matcherOf(pattern, read.options);
  if (matcher === null) return 0;
  const subject = new Subject(text);
  return bounded(() => [...matchesOf(matcher, subject, start - 1)].length, 0);
}

function instr(
  text: string,
  pattern: string,
  start = 1,
  nth = 1,
  endOption = 0,
  flags = "",
  group = 0,
): number {
  if (start <= 0) return fail(badParameter("start", start), 0);
  if (nth <= 0) return fail(badParameter("n", nth), 0);
  if (endOption !== 0 && endOption !== 1) return fail(badParameter("endoption", endOption), 0);
  if (group < 0) return fail(badParameter("subexpr", group), 0);
  const read = readFlags(flags, "regexp_instr");
  const found = read === null ? null : nthMatch(text, pattern, start, nth, read.options);
  if (found === null || group > found.groups) return 0;
  const place = found.captures[2 * group + endOption]!;
  return place < 0 ? 0 : place + 1;
}

function substr(text: string, pattern: string, start = 1, nth = 1, flags = "", group = 0): string | null {
  if (start <= 0) return fail(badParameter("start", start), null);
  if (nth <= 0) return fail(badParameter("n", nth), null);
  if (group < 0) return fail(badParameter("subexpr", group), null);
  const read = readFlags(flags, "regexp_substr");
  const found = read === null ? null : nthMatch(text, pattern, start, nth, read.options);
  return found === null || group > found.groups ? null : found.subject.group(found.captures, group);
}

function like(text: string, pattern: string, flags = ""): boolean {
  const read = readFlags(flags, "regexp_like");
  return read !== null && testPattern(text, pattern, read.options);
}

// ---- replacing and splitting ------------------------------------------------------------------------------------

const LENGTH_MAX = 2 ** 28;
const tooLong = scalarError("record_too_large", "requested length too large");

/** \1 .. \9 are groups, \& the match, \\ a backslash. */
function expanded(by: string, subject: Subject, captures: Captures): string {
  if (!by.includes("\\")) return by;
  return by.replace(/\\([1-9&\\])/g, (_, c: string) => {
    if (c === "\\") return c;
    if (c === "&") return subject.group(captures, 0)!;
    return 2 * Number(c) < captures.length ? (subject.group(captures, Number(c)) ?? "") : "";
  });
}

/** nth 0: all of them. */
function replaceMatches(
  text: string,
  pattern: string,
  by: string,
  start: number,
  nth: number,
  options: Options,
): string {
  const matcher = matcherOf(pattern, options);
  if (matcher === null) return "";
  const subject = new Subject(text);
  return bounded(() => {
    let out = "";
    let done = 0;
    let number = 0;
    for (const captures of matchesOf(matcher, subject, start - 1)) {
      if (nth !== 0 && ++number < nth) continue;
      out += subject.slice(done, captures[0]!) + expanded(by, subject, captures);
      if (out.length > LENGTH_MAX) return fail(tooLong, "");
      done = captures[1]!;
      if (nth !== 0) break;
    }
    return out + subject.slice(done, subject.length);
  }, "");
}

function replaceWithFlags(text: string, pattern: string, by: string, flags: string): string {
  if (/^\d/.test(flags)) {
    const hint =
      "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.";
    return fail(
      scalarError("invalid_argument", `invalid regular expression option: "${flags[0]}"`, { hint }),
      "",
    );
  }
  const read = readFlags(flags, null);
  return read === null ? "" : replaceMatches(text, pattern, by, 1, read.global ? 0 : 1, read.options);
}

function replaceNth(
  text: string,
  pattern: string,
  by: string,
  start: number,
  nth?: number,
  flags = "",
): string {
  if (start <= 0) return fail(badParameter("start", start), "");
  if (nth !== undefined && nth < 0) return fail(badParameter("n", nth), "");
  const read = readFlags(flags, null);
  return read === null ? "" : replaceMatches(text, pattern, by, start, nth ?? 1, read.options);
}

/** What stands between matches. An empty one counts neither at the end nor right behind another. */
export function splitParts(caller: string, text: string, pattern: string, flags = ""): string[] {
  const read = readFlags(flags, caller);
  const matcher = read === null ? null : matcherOf(pattern, read.options);
  if (matcher === null) return [];
  const subject = new Subject(text);
  return bounded(() => {
    const parts: string[] = [];
    let done = 0;
    let before = 0;
    for (const captures of matchesOf(matcher, subject, 0)) {
      const [from, to] = [captures[0]!, captures[1]!];
      if (from < subject.length && to > before) {
        parts.push(subject.slice(done, from));
        done = to;
      }
      before = to;
    }
    parts.push(subject.slice(done, subject.length));
    return parts;
  }, []);
}

function split(text: string, pattern: string, flags = ""): string {
  const parts = splitParts("regexp_split_to_array", text, pattern, flags);
  return fault.error === null ? formatArray(listOf(parts)) : "{}";
}

const ignoreCase: Options = { ...plainOptions, ignoreCase: true };

const matches = (text: string, pattern: string) => testPattern(text, pattern, plainOptions);
const matchesNot = (text: string, pattern: string) => !testPattern(text, pattern, plainOptions);
const imatches = (text: string, pattern: string) => testPattern(text, pattern, ignoreCase);
const imatchesNot = (text: string, pattern: string) => !testPattern(text, pattern, ignoreCase);

export const patternLibrary = {
  text_matches: matches,
  text_matches_not: matchesNot,
  text_imatches: imatches,
  text_imatches_not: imatchesNot,
  bpchar_matches: matches,
  bpchar_matches_not: matchesNot,
  bpchar_imatches: imatches,
  bpchar_imatches_not: imatchesNot,
  similar_to_escape: (pattern: string) => similarPattern(pattern, "\\"),
  similar_to_escape_of: similarPattern,
  text_substring_pattern: substring,
  text_substring_similar: (text: string, pattern: string, mark: string) => {
    const translated = similarPattern(pattern, mark);
    return fault.error === null ? substring(text, translated) : null;
  },
  regexp_like: (text: string, pattern: string) => like(text, pattern),
  regexp_like_flags: like,
  regexp_match: (text: string, pattern: string) => match(text, pattern),
  regexp_match_flags: match,
  regexp_replace: (text: string, pattern: string, by: string) =>
    replaceMatches(text, pattern, by, 1, 1, plainOptions),
  regexp_replace_flags: replaceWithFlags,
  regexp_replace_from: (text: string, pattern: string, by: string, start: number) =>
    replaceNth(text, pattern, by, start),
  regexp_replace_nth: (text: string, pattern: string, by: string, start: number, nth: number) =>
    replaceNth(text, pattern, by, start, nth),
  regexp_replace_nth_flags: replaceNth,
  regexp_count: (text: string, pattern: string) => count(text, pattern),
  regexp_count_from: (text: string, pattern: string, start: number) => count(text, pattern, start),
  regexp_count_flags: count,
  regexp_instr: (text: string, pattern: string) => instr(text, pattern),
  regexp_instr_from: (text: string, pattern: string, start: number) => instr(text, pattern, start),
  regexp_instr_nth: (text: string, pattern: string, start: number, nth: number) =>
    instr(text, pattern, start, nth),
  regexp_instr_end: (text: string, pattern: string, start: number, nth: number, end: number) =>
    instr(text, pattern, start, nth, end),
  regexp_instr_flags: (
    text: string,
    pattern: string,
    start: number,
    nth: number,
    end: number,
    flags: string,
  ) => instr(text, pattern, start, nth, end, flags),
  regexp_instr_group: instr,
  regexp_substr: (text: string, pattern: string) => substr(text, pattern),
  regexp_substr_from: (text: string, pattern: string, start: number) => substr(text, pattern, start),
  regexp_substr_nth: (text: string, pattern: string, start: number, nth: number) =>
    substr(text, pattern, start, nth),
  regexp_substr_flags: (text: string, pattern: string, start: number, nth: number, flags: string) =>
    substr(text, pattern, start, nth, flags),
  regexp_substr_group: substr,
  regexp_split: (text: string, pattern: string) => split(text, pattern),
  regexp_split_flags: split,
};

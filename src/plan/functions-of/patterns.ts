/** Operators and functions of regular expressions. */
import { arrayOf, bool, bpchar, int4, text } from "../../batch/types.ts";
import { type Entry, F, fn, operator } from "./entry.ts";

const texts = arrayOf(text);

export const patternFunctions = {
  text_matches: operator("~", [text, text], bool, F),
  text_matches_not: operator("!~", [text, text], bool, F),
  text_imatches: operator("~*", [text, text], bool, F),
  text_imatches_not: operator("!~*", [text, text], bool, F),
  bpchar_matches: operator("~", [bpchar, text], bool, F),
  bpchar_matches_not: operator("!~", [bpchar, text], bool, F),
  bpchar_imatches: operator("~*", [bpchar, text], bool, F),
  bpchar_imatches_not: operator("!~*", [bpchar, text], bool, F),
  /** SIMILAR TO's pattern as a regular expression; of the second the escape. */
  similar_to_escape: fn("similar_to_escape", [text], text, F),
  similar_to_escape_of: fn("similar_to_escape", [text, text], text, F),
  text_substring_pattern: fn("substring", [text, text], text, F, "nullable"),
  text_substring_similar: fn("substring", [text, text, text], text, F, "nullable"),
  regexp_like: fn("regexp_like", [text, text], bool, F),
  regexp_like_flags: fn("regexp_like", [text, text, text], bool, F),
  regexp_match: fn("regexp_match", [text, text], texts, F, "nullable"),
  regexp_match_flags: fn("regexp_match", [text, text, text], texts, F, "nullable"),
  regexp_replace: fn("regexp_replace", [text, text, text], text, F),
  regexp_replace_flags: fn("regexp_replace", [text, text, text, text], text, F),
  regexp_replace_from: fn("regexp_replace", [text, text, text, int4], text, F),
  regexp_replace_nth: fn("regexp_replace", [text, text, text, int4, int4], text, F),
  regexp_replace_nth_flags: fn("regexp_replace", [text, text, text, int4, int4, text], text, F),
  regexp_count: fn("regexp_count", [text, text], int4, F),
  regexp_count_from: fn("regexp_count", [text, text, int4], int4, F),
  regexp_count_flags: fn("regexp_count", [text, text, int4, text], int4, F),
  regexp_instr: fn("regexp_instr", [text, text], int4, F),
  regexp_instr_from: fn("regexp_instr", [text, text, int4], int4, F),
  regexp_instr_nth: fn("regexp_instr", [text, text, int4, int4], int4, F),
  regexp_instr_end: fn("regexp_instr", [text, text, int4, int4, int4], int4, F),
  regexp_instr_flags: fn("regexp_instr", [text, text, int4, int4, int4, text], int4, F),
  regexp_instr_group: fn("regexp_instr", [text, text, int4, int4, int4, text, int4], int4, F),
  regexp_substr: fn("regexp_substr", [text, text], text, F, "nullable"),
  regexp_substr_from: fn("regexp_substr", [text, text, int4], text, F, "nullable"),
  regexp_substr_nth: fn("regexp_substr", [text, text, int4, int4], text, F, "nullable"),
  regexp_substr_flags: fn("regexp_substr", [text, text, int4, int4, text], text, F, "nullable"),
  regexp_substr_group: fn("regexp_substr", [text, text, int4, int4, text, int4], text, F, "nullable"),
  regexp_split: fn("regexp_split_to_array", [text, text], texts, F),
  regexp_split_flags: fn("regexp_split_to_array", [text, text, text], texts, F),
} as const satisfies Record<string, Entry>;

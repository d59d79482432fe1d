/** Text functions that need no decoding, and LIKE with a pattern known beforehand. */
import { utf8Length } from "../../base/bytes.ts";
import type { FunctionId } from "../../plan/functions.ts";
import { likeMatcher } from "./like.ts";
import { BOOL, INT4 } from "./operand.ts";
import type { Emitter } from "./operand-writer.ts";
import { lower } from "./text.ts";

function like(ignoreCase: boolean, negate: boolean): Emitter {
  return (to, [s, pattern]) => {
    if (typeof pattern!.constant !== "string") return undefined;
    const { writer } = to;
    const given = ignoreCase ? lower(pattern!.constant) : pattern!.constant;
    const matcher = writer.parameter(likeMatcher(given), "matches");
    const decoded = to.value(s!);
    const subject = ignoreCase ? `${writer.parameter(lower, "lower")}(${decoded})` : decoded;
    const matched = writer.bind(`${negate ? "!" : ""}${matcher}(${subject})`);
    // Only a backslash can stand at the end of a pattern where nothing follows.
    if (given.includes("\\")) to.checkFault();
    return { code: matched, form: BOOL };
  };
}

/** One text, read as another type. */
const same: Emitter = (_, [a]) => ({ code: a!.code, form: a!.form });

export const textEmitters = {
  text_octet_length: (to, [s]) => {
    if (s!.form.kind !== "string") return { code: `${to.dictionary}.length(${s!.code})`, form: INT4 };
    return { code: `${to.writer.parameter(utf8Length, "utf8Length")}(${s!.code})`, form: INT4 };
  },
  text_like: like(false, false),
  text_not_like: like(false, true),
  text_ilike: like(true, false),
  text_not_ilike: like(true, true),
  jsonb_to_text: same,
  varchar_to_text: same,
} satisfies Partial<Record<FunctionId, Emitter>>;

/** Those that take a text without an id as it is. */
export const takesStrings: ReadonlySet<FunctionId> = new Set(Object.keys(textEmitters) as FunctionId[]);

/** Functions of any number of arguments of any type, made for the types of a call: counting nulls, format(), JSON of values. */
import { quoteIdent } from "../../base/quoted-name.ts";
import { arrayToJson, recordToJson, valueToJson } from "../../batch/json.ts";
import { parseJsonb, quoteJson } from "../../batch/jsonb.ts";
import type { SqlType } from "../../batch/types.ts";
import { sqlTypeName } from "../../plan/function-casts.ts";
import type { TypedFunctionId } from "../../plan/functions.ts";
import { Decimal, decimalToText } from "./decimal.ts";
import { attempt, fail, fault, scalarError } from "./errors.ts";
import { plainText, valueAt } from "./json-text.ts";
import type { Maker } from "./maker.ts";
import { charLength } from "./text.ts";
import { quoteLiteral } from "./text-forms.ts";
import { castText, textOfValue, valueOfText } from "./typed-text.ts";
import type { Value } from "./value.ts";

// ---- format() ---------------------------------------------------------------------------------------------------

const unterminated = scalarError("invalid_argument", "unterminated format() type specifier", {
  hint: 'For a single "%" use "%%".',
});
const tooFew = scalarError("invalid_argument", "too few arguments for format()");
const zeroArgument = scalarError(
  "invalid_argument",
  "format specifies argument 0, but arguments are numbered from 1",
);
const nullIdentifier = scalarError("invalid_value", "null values cannot be formatted as an SQL identifier", {
  sqlstate: "22004",
});

function unknownSpecifier(c: string) {
  return scalarError("invalid_argument", `unrecognized format() type specifier "${c}"`, {
    hint: 'For a single "%" use "%%".',
  });
}

/** `%[n$][-][width]type`: the width a number, `*` (the next argument) or `*n$`. */
const specifier = /%(?:(%)|(?:(\d+)\$)?(-)*(?:(\d+)|\*(?:(\d+)\$)?)?(.|$))/gsu;

const format: Maker = (types) => {
  return (pattern: string | null, ...args: Value[]): string | null => {
    if (pattern === null) return null;
    let next = 0;
    let failed = false;
    const refuse = (error: typeof tooFew) => {
      if (!failed) fail(error, "");
      failed = true;
      return "";
    };
    const take = (numbered: string | undefined): { value: Value; type: SqlType } | null => {
      if (numbered !== undefined && Number(numbered) === 0) {
        refuse(zeroArgument);
        return null;
      }
      const index = numbered === undefined ? next : Number(numbered) - 1;
      next = index + 1;
      if (index >= args.length) {
        refuse(tooFew);
        return null;
      }
      return { value: args[index]!, type: types[index + 1]! };
    };
    return pattern.replace(specifier, (all, percent, numbered, minus, width, widthFrom, kind: string) => {
      if (failed) return "";
      if (percent !== undefined) return "%";
      let left = minus !== undefined;
      let size = width === undefined ? 0 : Number(width);
      if (all.includes("*")) {
        const taken = take(widthFrom);
        if (taken === null) return "";
        size = Number(taken.value === null ? 0 : textOfValue(taken.type, taken.value));
        if (size < 0) [left, size] = [true, -size];
      }
      if (kind === "") return refuse(unterminated);
      if (kind !== "s" && kind !== "I" && kind !== "L") return refuse(unknownSpecifier(kind));
      const taken = take(numbered);
      if (taken === null) return "";
      const { value, type } = taken;
      let shown = "";
      if (value === null) {
        if (kind === "I") return refuse(nullIdentifier);
        if (kind === "L") shown = "NULL";
      } else {
        const written = textOfValue(type, value);
        shown = kind === "s" ? written : kind === "I" ? quoteIdent(written) : quoteLiteral(written);
      }
      const padding = " ".repeat(Math.max(0, size - charLength(shown)));
      return left ? shown + padding : padding + shown;
    });
  };
};

// ---- JSON -------------------------------------------------------------------------------------------------------

/** `between`: what stands after a comma. */
function rowJson(type: SqlType, text: string, between: string): string {
  return recordToJson(type, text, (field, item) => jsonOf(field, valueOfText(field, item)), between);
}

/** As to_json prints it. */
export function jsonOf(type: SqlType, value: Value): string {
  if (value === null) return "null";
  if (type.name === "json") return value as string;
  if (type.name === "record") return rowJson(type, value as string, "");
  if (type.name === "array") {
    return arrayToJson(type.element!, value as string, (element, item) =>
      jsonOf(element, valueOfText(element, item)),
    );
  }
  // json keeps the digits that a float is printed with.
  if (type.name.startsWith("float") && Number.isFinite(value)) return textOfValue(type, value);
  if (!(value instanceof Decimal)) return valueToJson(type, value);
  const text = decimalToText(value);
  return /\d$/.test(text) ? text : JSON.stringify(text);
}

function canonical(json: string): string {
  return attempt(parseJsonb, json, "null");
}

const nullKey = scalarError("invalid_argument", "null value not allowed for object key", {
  sqlstate: "22004",
});
const oddArguments = scalarError("invalid_argument", "argument list must have even number of elements", {
  hint: "The arguments of jsonb_build_object() must consist of alternating keys and values.",
});

export function keyText(type: SqlType, value: Value, position: number, forJsonb: boolean): string {
  if (value === null) {
    const error = forJsonb
      ? scalarError("invalid_argument", `argument ${position}: key must not be null`)
      : nullKey;
    return fail(error, '""');
  }
  if (
    type.element !== undefined ||
    type.fields !== undefined ||
    type.name === "json" ||
    type.name === "jsonb"
  ) {
    return fail(
      scalarError("invalid_argument", "key value must be scalar, not array, composite, or json"),
      '""',
    );
  }
  return quoteJson(type.name === "bool" ? String(value) : textOfValue(type, value), "");
}

function buildObject(forJsonb: boolean): Maker {
  return (types) =>
    (...args: Value[]): string => {
      if (args.length % 2 === 1) return fail(oddArguments, "{}");
      const members: string[] = [];
      for (let i = 0; i < args.length; i += 2) {
        const key = keyText(types[i]!, args[i]!, i + 1, forJsonb);
        if (fault.error !== null) return "{}";
        members.push(`${key} : ${jsonOf(types[i + 1]!, args[i + 1]!)}`);
      }
      const made = `{${members.join(", ")}}`;
      return forJsonb ? canonical(made) : made;
    };
}

function buildArray(forJsonb: boolean): Maker {
  return (types) =>
    (...args: Value[]): string => {
      const made = `[${args.map((value, i) => jsonOf(types[i]!, value)).join(", ")}]`;
      return forJsonb ? canonical(made) : made;
    };
}

const toJson: Maker =
  ([type]) =>
  (value: Value) =>
    jsonOf(type!, value);

const path: Maker =
  () =>
  (json: string, ...steps: string[]) =>
    valueAt(json, steps);
const pathText: Maker =
  () =>
  (json: string, ...steps: string[]) =>
    plainText(valueAt(json, steps));

const count =
  (isCounted: (value: Value) => boolean): Maker =>
  () =>
  (...args: Value[]) =>
    args.filter(isCounted).length;

export const typedAny = {
  num_nonnulls: count((value) => value !== null),
  num_nulls: count((value) => value === null),
  pg_typeof: ([type]) => {
    const name = sqlTypeName(type!);
    return () => name;
  },
  quote_any:
    ([type]) =>
    (value: Value) =>
      quoteLiteral(castText(type!, value!)),
  quote_any_nullable:
    ([type]) =>
    (value: Value) =>
      value === null ? "NULL" : quoteLiteral(castText(type!, value)),
  format,
  array_to_json: toJson,
  to_json: toJson,
  row_to_json:
    ([type]) =>
    (value: Value, lines: Value) =>
      rowJson(type!, value as string, lines === true ? "\n " : ""),
  to_jsonb:
    ([type]) =>
    (value: Value) =>
      canonical(jsonOf(type!, value)),
  json_build_array: buildArray(false),
  json_build_object: buildObject(false),
  jsonb_build_array: buildArray(true),
  jsonb_build_object: buildObject(true),
  json_path: path,
  json_path_text: pathText,
  jsonb_path: path,
  jsonb_path_text: pathText,
} satisfies Partial<Record<TypedFunctionId, Maker>>;

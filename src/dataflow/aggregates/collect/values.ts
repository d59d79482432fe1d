/** Values as the engine keeps them, turned into the text and the JSON that aggregates put together. */
import { nestArray, parseArray } from "../../../batch/format/array.ts";
import { formatFloat4 } from "../../../batch/format/float4.ts";
import { formatFloat8 } from "../../../batch/format/float8.ts";
import { recordToJson, valueToJson } from "../../../batch/json.ts";
import { parseJsonb } from "../../../batch/jsonb.ts";
import { datumFromText, datumToText } from "../../../batch/text-form.ts";
import { carrierOf, type SqlType } from "../../../batch/types.ts";
import type { Datum } from "../../../plan/expression.ts";
import { type Dictionary, WIDE } from "../../../state/dictionary.ts";
import { scalarError } from "../../kernels/errors.ts";

/** As PostgreSQL bounds its string buffers, only sooner: what a row may hold. */
export const TEXT_MAX = 64 * 1024 * 1024;
export const tooLong = scalarError("record_too_large", "the result of an aggregate is too long", {
  detail: `It has more than ${TEXT_MAX} characters.`,
});

export function datumOf(type: SqlType, dictionary: Dictionary): (code: number) => Exclude<Datum, null> {
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return (code) => code;
    case "bool":
      return (code) => code === 1;
    case "int64":
      return (code) => (code >= WIDE ? dictionary.bigint(code) : BigInt(code));
    case "string":
      return (code) => dictionary.string(code);
  }
}

export function textWriter(type: SqlType, dictionary: Dictionary): (code: number) => string {
  const datum = datumOf(type, dictionary);
  return (code) => datumToText(type, datum(code));
}

/** As to_json prints it, or to_jsonb. */
export function jsonWriter(type: SqlType, dictionary: Dictionary, binary: boolean): (code: number) => string {
  const datum = datumOf(type, dictionary);
  if (!binary) return (code) => plainJson(type, datum(code));
  // What may be written in several ways is read and written in the one.
  if (type.name === "json" || type.name === "array" || type.name === "record")
    return (code) => parseJsonb(valueToJson(type, datum(code)));
  return (code) => valueToJson(type, datum(code));
}

/** json keeps what a value looks like: a json as it was written, a float in its own digits. */
function plainJson(type: SqlType, datum: Exclude<Datum, null>): string {
  switch (type.name) {
    case "json":
      return datum as string;
    case "float4":
    case "float8": {
      const written = type.name === "float4" ? formatFloat4(datum as number) : formatFloat8(datum as number);
      return Number.isFinite(datum) ? written : `"${written}"`;
    }
    case "array": {
      const element = type.element!;
      const item = (text: string | null): string =>
        text === null ? "null" : plainJson(element, datumFromText(element, text));
      const joined = (part: unknown): string =>
        Array.isArray(part) ? `[${part.map(joined).join(",")}]` : (part as string);
      return joined(nestArray(parseArray(datum as string), item));
    }
    case "record":
      return recordToJson(type, datum as string, (field, item) =>
        plainJson(field, datumFromText(field, item)),
      );
    default:
      return valueToJson(type, datum);
  }
}

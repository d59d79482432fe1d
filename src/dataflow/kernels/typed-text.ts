/** Values to and from the text forms of their types, a numeric being a Decimal. */
import { withoutPadding } from "../../batch/format/characters.ts";
import { parseNumeric } from "../../batch/format/numeric.ts";
import { datumFromText, datumToText } from "../../batch/text-form.ts";
import type { SqlType } from "../../batch/types.ts";
import { Decimal, decimalFromText, decimalToText } from "./decimal.ts";
import type { Value } from "./value.ts";

/** A value as its type's output function prints it. */
export function textOfValue(type: SqlType, value: Exclude<Value, null>): string {
  return value instanceof Decimal ? decimalToText(value) : datumToText(type, value);
}

/** The value its type's input function reads. @throws EvertError */
export function valueOfText(type: SqlType, text: string): Exclude<Value, null> {
  return type.name === "numeric" ? decimalFromText(parseNumeric(text, type)) : datumFromText(type, text);
}

/** Its text for a cast to characters: a bool is a word there, and blanks at the end of a bpchar go. */
export function castText(type: SqlType, value: Exclude<Value, null>): string {
  if (type.name === "bool") return String(value);
  return type.name === "bpchar" ? withoutPadding(value as string) : textOfValue(type, value);
}

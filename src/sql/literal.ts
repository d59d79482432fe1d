/** Constants: a literal's text as a value of a type, and casts of constants that can be done at once. */
import { EvertError } from "../base/errors.ts";
import {
  cutToFit,
  formatInterval,
  type IntervalRange,
  parseInterval,
  parseNumeric,
} from "../batch/format.ts";
import { datumFromText, datumToText } from "../batch/text-form.ts";
import type { SqlType } from "../batch/types.ts";
import type { ConstExpr, Datum } from "../plan/expression.ts";

/** The value PostgreSQL's input function of the type reads from the text. Errors carry `position`. */
export function parseDatum(text: string, type: SqlType, position: number | undefined): Datum {
  return at(position, () => datumFromText(type, text));
}

/** A literal cast with `::` or a type before it: too long a text is cut off. An INTERVAL may say its fields. */
export function castLiteral(
  text: string,
  type: SqlType,
  fields: IntervalRange | null,
  position: number | undefined,
): Datum {
  return at(position, () => {
    if (type.name === "varchar" || type.name === "bpchar")
      return cutToFit(text, type.length, type.name === "bpchar");
    return fields === null ? datumFromText(type, text) : formatInterval(parseInterval(text, fields));
  });
}

/**
 * The constant cast to `to`, where that needs no function: between integers and numerics, from them to text and float8, and from
 * text to anything. undefined: left to the cast's function, as is a cast that fails: when it is an error is decided by evaluation.
 */
export function castConstant(expr: ConstExpr, to: SqlType): ConstExpr | undefined {
  if (expr.value === null) return { kind: "const", value: null, type: to };
  const written = exactText(expr);
  if (written === undefined || !castsByText(expr.type, to)) return undefined;
  try {
    return { kind: "const", value: parseDatum(wholeText(written, expr.type, to), to, undefined), type: to };
  } catch (error) {
    if (error instanceof EvertError) return undefined;
    throw error;
  }
}

function castsByText(from: SqlType, to: SqlType): boolean {
  if (from.name === "text") return to.length === undefined;
  const numbers = ["int4", "int8", "numeric"];
  return numbers.includes(from.name) && [...numbers, "float8", "text"].includes(to.name);
}

/** numeric to integer rounds half away from zero. */
function wholeText(written: string, from: SqlType, to: SqlType): string {
  const rounds = from.name === "numeric" && (to.name === "int4" || to.name === "int8");
  return rounds ? parseNumeric(written, { name: "numeric", precision: 1000, scale: 0 }) : written;
}

/** The constant as PostgreSQL prints it, for types whose text is the value. */
function exactText({ value, type }: ConstExpr): string | undefined {
  switch (type.name) {
    case "int4":
    case "int8":
    case "text":
    case "numeric":
      return datumToText(type, value!);
    default:
      return undefined;
  }
}

/** Runs `work`; an error of it that names no place gets this one. */
function at<T>(position: number | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EvertError) || error.position !== undefined) throw error;
    const { code, message, detail, hint, sqlstate, cause } = error;
    throw new EvertError(code, message, { detail, hint, sqlstate, cause, position });
  }
}

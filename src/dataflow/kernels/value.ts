/** Values as the library's functions take and give them, and what a declared numeric does to one. */
import type { SqlType } from "../../batch/types.ts";
import { type Decimal, decimal, FINITE, magnitude, NAN, powerOfTen, rescaled, ZERO } from "./decimal.ts";
import { fail, type ScalarError, scalarError } from "./errors.ts";

/** As a Datum (by the type's carrier), but a numeric of any precision is a Decimal. */
export type Value = number | bigint | boolean | string | Decimal | null;

export type ScalarFunction = (...args: never[]) => Value;

/** What CallExpr.type asks of a numeric result: rounded to numeric(p,s) and checked; as it is without p. */
export function constrainDecimal(x: Decimal, type: SqlType): Decimal {
  const { precision, scale = 0 } = type;
  if (precision === undefined) return x;
  if (x.kind !== FINITE) {
    if (x.kind !== NAN) return fail(fieldOverflow(precision, scale, "cannot hold an infinite value."), ZERO);
    return precision <= 18 ? fail(nanInSmallNumeric(precision, scale), ZERO) : x;
  }
  const unscaled = rescaled(x.unscaled, x.scale, scale);
  if (magnitude(unscaled) < powerOfTen(precision)) return decimal(unscaled, scale);
  const bound = precision === scale ? "1" : `10^${precision - scale}`;
  return fail(fieldOverflow(precision, scale, `must round to an absolute value less than ${bound}.`), ZERO);
}

function fieldOverflow(precision: number, scale: number, rule: string): ScalarError {
  return scalarError("numeric_value_out_of_range", "numeric field overflow", {
    detail: `A field with precision ${precision}, scale ${scale} ${rule}`,
  });
}

function nanInSmallNumeric(precision: number, scale: number): ScalarError {
  return scalarError("feature_not_supported", `NaN cannot be stored in numeric(${precision},${scale})`, {
    detail: "A numeric of 18 digits or fewer is kept as a scaled integer.",
    hint: "Declare the column as numeric without precision.",
  });
}

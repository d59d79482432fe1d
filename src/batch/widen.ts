/**
 * Widenings: from one type to another that has all of its values. They are what a column's type may be changed to while old records stay as they
 * are: these are converted when they are read, a column at a time.
 *
 * Only where PostgreSQL casts implicitly and nothing is lost: so int4 to float8, but not int8 to float8.
 */
import { assert } from "../base/assert.ts";
import type { Column, FixedColumn } from "./batch.ts";
import { datumAt } from "./column.ts";
import { columnBuilderFor } from "./column-builder.ts";
import { type Datum, toDatum } from "./convert.ts";
import { datumToText } from "./text-form.ts";
import { carrierOf, isSmallNumeric, type SqlType, sameType, type TypeName } from "./types.ts";

/** Types whose every value the later ones have. Those with modifiers are looked at below. */
const wider: Partial<Readonly<Record<TypeName, readonly TypeName[]>>> = {
  int2: ["int4", "int8", "float4", "float8"],
  int4: ["int8", "float8"],
  float4: ["float8"],
  date: ["timestamp", "timestamptz"],
  timestamp: ["timestamptz"],
};

/** Digits before the point that an integer may need. */
const integerDigits: Partial<Readonly<Record<TypeName, number>>> = { int2: 5, int4: 10, int8: 19 };

export function canWiden(from: SqlType, to: SqlType): boolean {
  if (from.domain !== undefined || to.domain !== undefined) return false;
  if (sameType(from, to)) return true;
  if (wider[from.name]?.includes(to.name) === true) return true;
  const digits = integerDigits[from.name];
  if (to.name === "numeric") {
    if (digits !== undefined) return to.precision === undefined || to.precision - (to.scale ?? 0) >= digits;
    if (from.name !== "numeric") return false;
    if (to.precision === undefined) return true;
    if (from.precision === undefined) return false;
    const [scale, newScale] = [from.scale ?? 0, to.scale ?? 0];
    return newScale >= scale && to.precision - newScale >= from.precision - scale;
  }
  if (from.name === "varchar" || from.name === "text") {
    if (to.name === "text") return true;
    return (
      to.name === "varchar" &&
      (to.length === undefined || (from.length !== undefined && to.length >= from.length))
    );
  }
  return false;
}

/** Whether values lie in the same way, so that nothing is to be done. */
function liesAlike(from: SqlType, to: SqlType): boolean {
  if (from.name === "date") return to.name === "date";
  if (to.name !== "numeric") return carrierOf(from) === carrierOf(to);
  if (from.name !== "numeric" || isSmallNumeric(from) !== isSmallNumeric(to)) return false;
  // The digits behind the point are shown: those of an unconstrained numeric as they were written.
  return to.precision === undefined || (from.scale ?? 0) === (to.scale ?? 0);
}

/** The same values in the wider type. REQUIRES canWiden(column.type, to) */
export function widenColumn(column: Column, to: SqlType): Column {
  const { type, length, validity } = column;
  assert(canWiden(type, to), "a type is only widened");
  if (liesAlike(type, to)) return { ...column, type: to };
  if (column.kind === "fixed" && to.name !== "numeric") {
    const made = (values: FixedColumn["values"]): Column => ({
      kind: "fixed",
      type: to,
      length,
      validity,
      values,
    });
    const values = column.values as Int32Array;
    if (type.name === "date") return made(BigInt64Array.from(values, microsOfDays as never));
    return made(
      carrierOf(to) === "double" ? Float64Array.from(values) : BigInt64Array.from(values, BigInt as never),
    );
  }
  const builder = columnBuilderFor({ name: "", type: to, nullable: true });
  for (let row = 0; row < length; row++) {
    const datum = datumAt(column, row);
    if (datum === null) builder.appendNull();
    else builder.append(datumToText(type, datum));
  }
  return builder.take();
}

/** A value of the wider type. REQUIRES canWiden(from, to) */
export function widenDatum(from: SqlType, to: SqlType, datum: Datum): Datum {
  if (datum === null || liesAlike(from, to)) return datum;
  if (from.name === "date") return microsOfDays(datum as number);
  return to.name === "numeric" ? toDatum(to, datumToText(from, datum)) : toDatum(to, Number(datum));
}

const DAY_US = 86_400_000_000n;

/** The extremes are infinity and -infinity, in both. */
function microsOfDays(days: number): bigint {
  if (days === 0x7fff_ffff) return 0x7fff_ffff_ffff_ffffn;
  if (days === -0x8000_0000) return -0x8000_0000_0000_0000n;
  return BigInt(days) * DAY_US;
}

/** An aggregate of a group: its argument against the group's input, and the type of its answer. */
import { unreachable } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import { bool, float8, int8, jsonb, type SqlType, typeToString } from "../batch/types.ts";
import { constant } from "../plan/build.ts";
import type { Expr, UserFunction } from "../plan/expression.ts";
import { resolveCast } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Aggregate, AggregateOrder, Plan } from "../plan/plan.ts";
import { sumType } from "../plan/sum-type.ts";
import type { AggregateSpec, ValueSource } from "./aggregates.ts";
import { checkOrdered, inputRow, scalarExpr } from "./columns-of.ts";
import { functionSource, shorten, type UserCode } from "./function-source.ts";
import { readFunction } from "./read-function.ts";

export function aggregateOf(input: Plan, name: string, spec: AggregateSpec): Aggregate {
  const filter = spec.where === null ? null : scalarExpr(input, spec.where, bool, bool);
  switch (spec.fn) {
    case "count": {
      const arg = spec.of === null ? null : scalarExpr(input, spec.of, jsonb);
      return { fn: "count", arg, filter, type: int8, reducer: null };
    }
    case "sum":
    case "avg": {
      const arg = summed(input, spec.of);
      // Sums of integers are integers and come back as numbers.
      const type = spec.fn === "sum" ? sumType(typeOf(arg)) : meanType(typeOf(arg));
      if (type !== null) return { fn: spec.fn, arg, filter, type, reducer: null };
      throw notNumbers(name, spec, typeOf(arg));
    }
    case "min":
    case "max": {
      const arg = scalarExpr(input, spec.of, jsonb);
      checkOrdered(arg, `the argument of ${spec.fn}, ${textOf(spec.of)},`);
      return { fn: spec.fn, arg, filter, type: typeOf(arg), reducer: null };
    }
    case "countDistinct": {
      const arg = scalarExpr(input, spec.of, jsonb);
      return { fn: "count", arg, filter, type: int8, reducer: null, distinct: true };
    }
    case "every":
    case "some": {
      const arg = scalarExpr(input, spec.of, bool, bool);
      return { fn: spec.fn === "every" ? "bool_and" : "bool_or", arg, filter, type: bool, reducer: null };
    }
    case "variance":
    case "stddev": {
      const arg = doubled(input, name, spec);
      return {
        fn: spec.fn === "variance" ? "var_samp" : "stddev_samp",
        arg,
        filter,
        type: float8,
        reducer: null,
      };
    }
    case "mode": {
      const arg = scalarExpr(input, spec.of, jsonb);
      checkOrdered(arg, `the argument of mode, ${textOf(spec.of)},`);
      return { fn: "mode", arg, filter, type: typeOf(arg), reducer: null, order: [ascending(arg)] };
    }
    case "percentile": {
      const arg = doubled(input, name, spec);
      if (!(spec.fraction >= 0 && spec.fraction <= 1)) {
        throw new EvertError(
          "numeric_value_out_of_range",
          `the fraction of "${name}" is not between 0 and 1`,
        );
      }
      const rest = [constant(spec.fraction, float8)];
      const order = [ascending(arg)];
      return { fn: "percentile_cont", arg, rest, filter, type: float8, reducer: null, order };
    }
    case "list":
      return listOf(input, name, spec, filter);
    case "reduce":
      return {
        fn: "reduce",
        arg: null,
        filter,
        type: spec.type.type,
        reducer: {
          initial: spec.initial,
          add: folding(input, spec.add),
          remove: folding(input, spec.remove),
          routine: null,
          source: `reduce(${JSON.stringify(spec.initial)}, ${sourceText(spec.add)}, ${sourceText(spec.remove)})`,
        },
      };
    default:
      return unreachable(spec);
  }
}

function listOf(
  input: Plan,
  name: string,
  spec: AggregateSpec & { readonly fn: "list" },
  filter: Expr | null,
): Aggregate {
  const arg = scalarExpr(input, spec.of, jsonb);
  if (spec.distinct && spec.orderBy !== null) {
    throw new EvertError(
      "invalid_column_reference",
      `"${name}" is a list of different values, which have their own order`,
      {
        hint: "Leave out orderBy or distinct.",
      },
    );
  }
  const by = spec.orderBy === null ? [] : [scalarExpr(input, spec.orderBy, jsonb)];
  const order = by.map((expr) => ({ expr, descending: spec.descending, nullsFirst: spec.descending }));
  return { fn: "jsonb_agg", arg, filter, type: jsonb, reducer: null, order, distinct: spec.distinct };
}

function ascending(expr: Expr): AggregateOrder {
  return { expr, descending: false, nullsFirst: false };
}

/** A value to add up: what has no type by its text, or is any JSON, is taken to be a number. */
function summed(input: Plan, of: ValueSource): Expr {
  const arg = scalarExpr(input, of, float8);
  return typeOf(arg).name === "jsonb" ? scalarExpr(input, of, float8, float8) : arg;
}

/** A number as a double. */
function doubled(input: Plan, name: string, spec: { readonly fn: string; readonly of: ValueSource }): Expr {
  const arg = summed(input, spec.of);
  const type = typeOf(arg);
  if (type.name === "float8") return arg;
  if (sumType(type) === null) throw notNumbers(name, spec, type);
  return { kind: "call", fn: resolveCast(type, float8, "implicit")!.fn!, args: [arg], type: float8 };
}

function notNumbers(
  name: string,
  { fn, of }: { readonly fn: string; readonly of: ValueSource },
  type: SqlType,
): EvertError {
  return new EvertError("datatype_mismatch", `${fn} of "${name}" needs numbers`, {
    detail: `Its argument, ${textOf(of)}, is of type ${typeToString(type)}.`,
  });
}

/** A mean of integers is a JavaScript number here; SQL's is a numeric. */
function meanType(type: SqlType): SqlType | null {
  const sum = sumType(type);
  return sum?.name === "int8" ? float8 : sum;
}

/** Called with the accumulator, then the row: `rows` holds the row alone. */
function folding(input: Plan, code: UserCode): UserFunction {
  return readFunction(code, [null, inputRow(input)]).fn;
}

function sourceText(code: UserCode): string {
  return functionSource(code)?.text ?? Function.prototype.toString.call(code);
}

function textOf(of: ValueSource): string {
  return typeof of === "string" ? `"${of}"` : shorten(Function.prototype.toString.call(of));
}

/** Which collector an aggregate is that is made of rows. */
import { assert } from "../../../base/assert.ts";
import { parseArray } from "../../../batch/format/array.ts";
import { datumFromText } from "../../../batch/text-form.ts";
import { float8, type SqlType } from "../../../batch/types.ts";
import type { Datum } from "../../../plan/expression.ts";
import { typeOf } from "../../../plan/inspect.ts";
import type { Aggregate } from "../../../plan/plan.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { evaluateExpr } from "../../kernels/evaluate.ts";
import type { Collector } from "./collector.ts";
import { DistinctNumerics } from "./distinct-numerics.ts";
import { AnyValue, ArrayAgg, JsonAgg, StringAgg } from "./lists.ts";
import { ObjectAgg } from "./objects.ts";
import { Mode, Percentile } from "./ordered-sets.ts";

export function collectorOf(a: Aggregate, dictionary: Dictionary): Collector {
  assert(a.arg !== null, "what is made of rows has an argument");
  const arg = typeOf(a.arg);
  switch (a.fn) {
    case "any_value":
      return new AnyValue(a.type);
    case "string_agg":
      return new StringAgg(a.type, dictionary);
    case "array_agg":
      return new ArrayAgg(a.type, arg, dictionary);
    case "json_agg":
    case "json_agg_strict":
    case "jsonb_agg":
    case "jsonb_agg_strict":
      return new JsonAgg(a.fn.startsWith("jsonb"), a.fn.endsWith("strict"), arg, dictionary);
    case "json_object_agg":
    case "json_object_agg_strict":
    case "json_object_agg_unique":
    case "json_object_agg_unique_strict":
    case "jsonb_object_agg":
    case "jsonb_object_agg_strict":
    case "jsonb_object_agg_unique":
    case "jsonb_object_agg_unique_strict": {
      const kind = {
        binary: a.fn.startsWith("jsonb"),
        withoutNulls: a.fn.endsWith("strict"),
        unique: a.fn.includes("unique"),
      };
      return new ObjectAgg(kind, arg, typeOf(a.rest![0]!), dictionary);
    }
    case "mode":
      return new Mode(a.type, dictionary);
    case "percentile_cont":
    case "percentile_disc":
      return percentile(a, arg, dictionary);
    case "sum":
    case "avg":
    case "var_pop":
    case "var_samp":
    case "stddev_pop":
    case "stddev_samp":
      return new DistinctNumerics(a.fn, dictionary);
    default:
      throw new Error(`${a.fn} is not made of rows`);
  }
}

/** The fractions depend on no row. */
function percentile(a: Aggregate, arg: SqlType, dictionary: Dictionary): Collector {
  const given = evaluateExpr(a.rest![0]!, []);
  const many = typeOf(a.rest![0]!).element !== undefined;
  const shape = many && given !== null ? parseArray(given as string) : null;
  const fractions =
    shape === null
      ? [given as number | null]
      : shape.items.map((item): Datum => (item === null ? null : datumFromText(float8, item)));
  const spec = {
    continuous: a.fn === "percentile_cont",
    fractions: fractions as (number | null)[],
    shape,
    arg,
    type: a.type,
  };
  return new Percentile(spec, dictionary);
}

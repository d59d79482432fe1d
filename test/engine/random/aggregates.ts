/** Random aggregates and window calls. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { condition, direction, expression, keyOf, type Scope, totalOrder } from "./expressions.ts";
import { type Fragment, fragment, optional, type Part } from "./fragment.ts";
import { type ColumnKind, type Kind, keyed, pick, simplest } from "./kinds.ts";

export interface Call {
  readonly made: Fragment;
  readonly kind: ColumnKind;
}

function call(kind: ColumnKind, ...parts: Part[]): Call {
  return { made: fragment(`call ${kind}`, parts, [simplest(kind)]), kind };
}

function kindIn(random: SeededRandom, scope: Scope): Kind {
  const { kind } = pick(random, scope.terms);
  return kind === "approx" ? "int4" : kind;
}

const sums: Partial<Record<Kind, ColumnKind>> = {
  int2: "int8",
  int4: "int8",
  int8: "numeric",
  float8: "approx",
  price: "numeric",
  numeric: "numeric",
  interval: "interval",
};

const unordered: readonly Kind[] = ["bool", "jsonb", "uuid"];

export function aggregate(random: SeededRandom, scope: Scope): Call {
  // A subquery in an aggregate that looks outside would be an aggregate of the outer query.
  const inner: Scope = random.oneIn(6) ? scope : { ...scope, subqueries: null };
  const kind = kindIn(random, scope);
  const key = (): Fragment => keyOf(random, kind, inner, 1);
  const filter: Part = random.oneIn(3) ? optional(" FILTER (WHERE ", condition(random, inner, 1), ")") : "";
  switch (random.below(16)) {
    case 0:
      return call("int8", "count(*)", filter);
    case 1:
      return call("int8", "count(", expression(random, kind, inner, 1), ")", filter);
    case 2:
      return call("int8", "count(DISTINCT ", key(), ")", filter);
    case 3:
    case 4:
    case 5: {
      const sum = sums[kind];
      const fn = pick(random, ["sum", "avg"]);
      if (sum === undefined) return call("int8", "sum(", expression(random, "int4", inner, 1), ")", filter);
      const made: ColumnKind = fn === "avg" && sum === "int8" ? "numeric" : sum;
      // An average of intervals rounds.
      if (kind === "interval")
        return call("interval", "sum(", expression(random, kind, inner, 1), ")", filter);
      return call(made, `${fn}(`, expression(random, kind, inner, 1), ")", filter);
    }
    case 6:
    case 7:
    case 8: {
      if (unordered.includes(kind))
        return call("bool", "bool_or(", expression(random, "bool", inner, 1), ")", filter);
      const made = kind === "price" ? "numeric" : kind === "varchar" ? "text" : kind;
      return call(made, `${pick(random, ["min", "max"])}(`, key(), ")", filter);
    }
    case 9:
    case 10:
      return listed(random, inner, filter);
    case 11: {
      const made = kind === "price" ? "numeric" : kind === "varchar" ? "text" : kind;
      const cast = kind === "varchar" ? "::text" : "";
      return call(
        made,
        `${pick(random, ["mode()", "percentile_disc(0.5)", "percentile_disc(0.9)"])} WITHIN GROUP (ORDER BY `,
        key(),
        `${cast}${direction(random)})`,
        filter,
      );
    }
    case 12:
      return call(
        "bool",
        `${pick(random, ["bool_and", "bool_or", "every"])}(`,
        expression(random, "bool", inner, 1),
        ")",
        filter,
      );
    case 13:
      return call(
        "int4",
        `${pick(random, ["bit_and", "bit_or", "bit_xor"])}(`,
        expression(random, "int4", inner, 1),
        ")",
        filter,
      );
    case 14:
      return call(
        "numeric",
        `${pick(random, ["var_pop", "var_samp", "stddev_pop", "stddev"])}(`,
        expression(random, pick(random, ["int4", "price"] as const), inner, 1),
        ")",
        filter,
      );
    default:
      return random.oneIn(2)
        ? call(
            "approx",
            `${pick(random, ["avg", "var_pop"])}(`,
            expression(random, "float8", inner, 0),
            ")",
            filter,
          )
        : call("int8", "sum(DISTINCT ", expression(random, "int4", inner, 1), ")", filter);
  }
}

/** A list or text of a group's values; equal ones may change places. */
function listed(random: SeededRandom, scope: Scope, filter: Part): Call {
  const distinct = random.oneIn(3) ? "DISTINCT " : "";
  const column = (kind: Kind): string => {
    const terms = scope.terms.filter((t) => t.kind === kind);
    return terms.length === 0 ? simplest(kind) : pick(random, terms).sql;
  };
  const order = (kind: Kind, sql: string): string => {
    const first = distinct === "" && random.oneIn(2) ? `${column("int4")}${direction(random)}, ` : "";
    return ` ORDER BY ${first}${keyed(kind, sql)}${direction(random)}`;
  };
  const text = column("text");
  const int = column("int4");
  const json = column("jsonb");
  switch (random.below(4)) {
    case 0:
      return call("text", `string_agg(${distinct}${text}, '+'${order("text", text)})`, filter);
    case 1:
      return call("ints", `array_agg(${distinct}${int}${order("int4", int)})`, filter);
    case 2:
      return call("texts", `array_agg(${distinct}${text}${order("text", text)})`, filter);
    default:
      return call("jsonb", `jsonb_agg(${distinct}${json}${order("jsonb", json)})`, filter);
  }
}

// ---- windows ----------------------------------------------------------------------------------------------------

/**
 * `alone`: no other call beside it tells rows apart that are alike in everything. Where two do, which number of the one meets which of the
 * other is open.
 */
export function windowCall(random: SeededRandom, scope: Scope, alone: boolean): Call {
  const kind = kindIn(random, scope);
  const partition: Part = random.oneIn(3)
    ? ""
    : fragment("partition", ["PARTITION BY ", keyOf(random, kindIn(random, scope), scope, 0), " "], [""]);
  const byKind = kindIn(random, scope);
  const by = keyOf(random, byKind, scope, 1);
  const total = totalOrder(scope);
  const first = [" ORDER BY ", by, direction(random)];
  const strict: Part[] = [...first, total === "" ? "" : `, ${total}`];
  const over = (order: readonly Part[], frame = ""): Part[] => [" OVER (", partition, ...order, frame, ")"];
  const value = (): Fragment => expression(random, kind, scope, 1);
  switch (alone ? random.below(9) : 6 + random.below(3)) {
    case 0:
      return call("int8", "row_number()", ...over(strict));
    case 6:
      return call("int8", `${pick(random, ["rank", "dense_rank"])}()`, ...over(first));
    case 7:
      return call("approx", `${pick(random, ["percent_rank", "cume_dist"])}()`, ...over(first));
    case 1:
      return call("int4", `ntile(${1 + random.below(4)})`, ...over(strict));
    case 2:
      return call(
        kind,
        `${pick(random, ["lag", "lead"])}(`,
        value(),
        `${pick(random, ["", ", 1", ", 2", ", 0"])})`,
        ...over(strict),
      );
    case 3:
      return call(
        kind,
        `${pick(random, ["first_value", "last_value"])}(`,
        value(),
        ")",
        ...over(strict, frame(random)),
      );
    case 4:
      return call(kind, "nth_value(", value(), `, ${1 + random.below(3)})`, ...over(strict, frame(random)));
    case 8: {
      // RANGE with an offset: one number to order by.
      const int = expression(random, "int4", scope, 0);
      const [a, b] = [random.below(3), random.below(3)];
      const range = ` RANGE BETWEEN ${a} PRECEDING AND ${b} FOLLOWING${exclusion(random)}`;
      return ranged(random, scope, [" OVER (", partition, " ORDER BY ", int, direction(random), range, ")"]);
    }
    default:
      return alone
        ? ranged(random, scope, over(strict, frame(random)))
        : ranged(random, scope, over(random.oneIn(3) ? [] : first));
  }
}

function ranged(random: SeededRandom, scope: Scope, over: readonly Part[]): Call {
  const filter: Part = random.oneIn(4) ? optional(" FILTER (WHERE ", condition(random, scope, 1), ")") : "";
  const int = expression(random, "int4", scope, 1);
  switch (random.below(6)) {
    case 0:
      return call("int8", "count(*)", filter, ...over);
    case 1:
      return call("int8", "sum(", int, ")", filter, ...over);
    case 2:
      return call("numeric", "avg(", int, ")", filter, ...over);
    case 3:
      return call("approx", "sum(", expression(random, "float8", scope, 0), ")", filter, ...over);
    case 4:
      return call(
        "text",
        `${pick(random, ["min", "max"])}(`,
        expression(random, "text", scope, 1),
        ")",
        filter,
        ...over,
      );
    default:
      return call("bool", "bool_or(", expression(random, "bool", scope, 0), ")", filter, ...over);
  }
}

const starts = ["UNBOUNDED PRECEDING", "1 PRECEDING", "2 PRECEDING", "CURRENT ROW"];
const ends = ["UNBOUNDED FOLLOWING", "1 FOLLOWING", "CURRENT ROW", "3 FOLLOWING"];

function frame(random: SeededRandom): string {
  if (random.oneIn(3)) return "";
  const mode = pick(random, ["ROWS", "ROWS", "GROUPS"]);
  return ` ${mode} BETWEEN ${pick(random, starts)} AND ${pick(random, ends)}${exclusion(random)}`;
}

function exclusion(random: SeededRandom): string {
  return random.oneIn(3)
    ? pick(random, [" EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS"])
    : "";
}

/** Aggregates of wide queries, each over the kinds that it takes, with FILTER, DISTINCT and ORDER BY. */
import { optional, type Part } from "../fragment.ts";
import { pick } from "../kinds.ts";
import {
  arrays,
  ints,
  isWide,
  numbers,
  type TermKind,
  type WideKind,
  wideKinds,
  withoutMin,
} from "./kinds.ts";
import {
  columnOf,
  comparableColumn,
  condition,
  direction,
  type Scene,
  type Scope,
  sql,
  type Term,
  term,
} from "./terms.ts";

export const ordered = wideKinds.filter((k) => !withoutMin.includes(k));
const listed = wideKinds.filter((k) => !arrays.includes(k) && k !== "mood" && k !== "pos");
const percentiles = ordered.filter((k) => k !== "varchar");

/** What min and max of a kind are: of a domain its base, of varchar text. */
export function plain(kind: WideKind): WideKind {
  if (kind === "varchar") return "text";
  return kind === "pos" ? "int4" : kind;
}

/** A column of any of the kinds that are in scope, the first kind where there is none. */
export function anyOf(scene: Scene, scope: Scope, kinds: readonly WideKind[]) {
  const here = kinds.filter((k) => scope.some((c) => c.kind === k));
  return columnOf(scene, scope, [pick(scene.random, here.length === 0 ? kinds.slice(0, 1) : here)]);
}

export function aggregate(scene: Scene, scope: Scope, filtered = scene.random.oneIn(3)): Term {
  const { random } = scene;
  const filter: Part = filtered ? optional(" FILTER (WHERE ", condition(scene, scope), ")") : "";
  const by = (c: string): string => `ORDER BY ${c}${direction(random)}`;
  const of = (kind: TermKind, call: string): Term => term(kind, sql`${call}${filter}`);
  const any = (kinds: readonly WideKind[]) => anyOf(scene, scope, kinds);
  switch (random.below(26)) {
    case 0:
      return of("int8", "count(*)");
    case 1:
      return of("int8", `count(${pick(random, scope).sql})`);
    case 2:
      return of("int8", `count(DISTINCT ${comparableColumn(scene, scope).sql})`);
    case 3: {
      const c = any(ints);
      return of(c.kind === "int8" ? "shown" : "int8", `sum(${c.sql})`);
    }
    case 4:
      return of("shown", `${pick(random, ["sum", "avg"])}(${any(["numeric"]).sql})`);
    case 5: {
      const c = any(["float8", "float4"]).sql;
      // For avg PostgreSQL squares as it goes, and fails at 1e300 (docs/SQL.md says what differs).
      return of("approx", pick(random, [`sum(${c})`, `avg(nullif(${c}, '1e300'))`]));
    }
    case 6:
    case 7:
    case 8: {
      const c = any(ordered);
      return of(plain(c.kind), `${pick(random, ["min", "max"])}(${c.sql})`);
    }
    case 9:
      return of("bool", `${pick(random, ["bool_and", "bool_or", "every"])}(${any(["bool"]).sql})`);
    case 10: {
      const c = any(ints);
      return of(c.kind, `${pick(random, ["bit_and", "bit_or", "bit_xor"])}(${c.sql})`);
    }
    case 11: {
      const name = pick(random, ["var_pop", "var_samp", "stddev_pop", "stddev_samp"]);
      return of("shown", `${name}(${any([...ints, "numeric"]).sql})`);
    }
    case 12: {
      const name = pick(random, [
        "corr",
        "covar_pop",
        "covar_samp",
        "regr_slope",
        "regr_intercept",
        "regr_r2",
        "regr_avgx",
        "regr_sxx",
      ]);
      return of("approx", `${name}(${any(ints).sql} % 10, ${any(ints).sql} % 7)`);
    }
    case 13:
      return of("int8", `regr_count(${any(numbers).sql}::float8, ${any(ints).sql})`);
    case 14:
      return of("interval", `sum(${any(["interval"]).sql})`);
    case 15: {
      const c = any(["text", "varchar", "bpchar"]);
      return of("text", `string_agg(${c.sql}, '+' ${by(c.sql)})`);
    }
    case 16: {
      const c = any(listed);
      return of("shown", `array_agg(${pick(random, ["", "DISTINCT "])}${c.sql} ${by(c.sql)})`);
    }
    case 17: {
      const c = comparableColumn(scene, scope);
      const name = pick(random, ["json_agg", "jsonb_agg", "jsonb_agg_strict"]);
      return of("shown", `${name}(${c.sql} ${by(c.sql)})`);
    }
    case 18:
      return of("shown", `jsonb_object_agg(coalesce(${any(["text"]).sql}, '-'), 1)`);
    case 19:
    case 20: {
      const c = any(percentiles);
      const name = pick(random, [
        "mode()",
        "percentile_disc(0.5)",
        "percentile_disc(0)",
        "percentile_disc(1)",
        "percentile_disc(0.77)",
      ]);
      return of(plain(c.kind), `${name} WITHIN GROUP (${by(c.sql)})`);
    }
    case 21: {
      const c = any(["float8", "interval", "int4"]);
      const kind = c.kind === "interval" ? "interval" : "approx";
      const at = pick(random, ["0.5", "0.25", "0", "1"]);
      return of(kind, `percentile_cont(${at}) WITHIN GROUP (${by(c.sql)})`);
    }
    case 22: {
      const c = any(percentiles.filter((k) => !arrays.includes(k)));
      const call = `percentile_disc(ARRAY[0.1, 0.9, NULL, 0.5]) WITHIN GROUP (${by(c.sql)})`;
      return term("text", sql`(${call}${filter})::text`);
    }
    case 23:
      return of("shown", `${pick(random, ["sum", "avg"])}(DISTINCT ${any(ints).sql})`);
    case 24:
      return of("interval", `${pick(random, ["sum", "avg"])}(${any(["time"]).sql})`);
    default: {
      // Fails where two rows of a group have the same key.
      const first = scope.find((c) => isWide(c.kind))?.sql ?? "1";
      const key = `coalesce(${any(["text"]).sql}, '') || coalesce(${first}::text, '?')`;
      return term("bool", sql`(json_object_agg_unique_strict(${key}, 1)${filter}) IS NULL`);
    }
  }
}

/** Expressions of wide queries: times in zones, documents, arrays, rows, and subqueries of every sort. */
import { pick } from "../kinds.ts";
import { anyOf } from "./aggregates.ts";
import { isWide, type TermKind, type WideKind, wideLiteral } from "./kinds.ts";
import { condition, direction, type Scene, type Scope, sql, type Term, term } from "./terms.ts";

const zones = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"];
const comparisons = ["<", "<=", ">", ">=", "=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
const quantifiers = ["IN", "NOT IN", "< ANY", "> ALL", "<> ALL", "= ANY"];

export function expression(scene: Scene, scope: Scope): Term {
  const { random } = scene;
  const c = pick(random, scope);
  if (random.oneIn(2)) return c;
  const a = (...kinds: readonly WideKind[]): string => anyOf(scene, scope, kinds).sql;
  const other = (): string => pick(random, scene.tables).name;
  const of = (kind: TermKind, text: string): Term => term(kind, [text]);
  switch (random.below(25)) {
    case 0:
      return term(c.kind, sql`CASE WHEN ${condition(scene, scope)} THEN ${c.sql} END`);
    case 1:
      return isWide(c.kind) ? of(c.kind, `coalesce(${c.sql}, ${wideLiteral(random, c.kind)})`) : c;
    case 2: {
      const field = pick(random, ["epoch", "dow", "year", "quarter", "isoyear"]);
      return of("shown", `extract(${field} from ${a("timestamptz", "timestamp", "date")})`);
    }
    case 3: {
      const unit = pick(random, ["month", "week", "day"]);
      return of("timestamptz", `date_trunc('${unit}', ${a("timestamptz")}, '${pick(random, zones)}')`);
    }
    case 4:
      return of("timestamp", `(${a("timestamptz")} AT TIME ZONE '${pick(random, zones)}')`);
    case 5:
      return of("timestamptz", `(${a("timestamp")} AT TIME ZONE '${pick(random, zones)}')`);
    case 6:
      return of("text", `to_char(${a("timestamptz")}, 'YYYY-MM-DD HH24:MI:SS.US BC')`);
    case 7:
      return of("jsonb", `(${a("jsonb")} || ${a("jsonb")})`);
    case 8:
      return of("jsonb", `(${a("jsonb")} -> ${pick(random, ["'a'", "0", "-1"])})`);
    case 9: {
      // Of constants alone PostgreSQL says that they do not fit before there is a row.
      const here = scope.filter((s) => s.kind === "ints");
      return here.length === 0 ? c : of("shown", `(${pick(random, here).sql} || ${a("ints")})::text`);
    }
    case 10:
      return of("text", `array_to_string(${a("texts")}, ',', '*')`);
    case 11:
      return of("float8", `(${a("floats")})[1]`);
    case 12:
      return of("shown", `greatest(${a("numeric")}, ${a("int8")}, ${a("int2")})`);
    case 13:
      return of("float8", `least(${a("float4")}, ${a("float8")}, ${a("int4")})`);
    case 14:
      return of("text", `(${a("bpchar")} || ${a("text")})`);
    case 15:
      return of("text", `(${a("mood")})::text`);
    case 16:
      return of("shown", `concat(${c.sql}, '-', ${a("bool")})`);
    case 17:
      return of("shown", pick(random, [`to_jsonb(${c.sql})`, `(${c.sql})::text`]));
    case 18:
      return of("shown", `row(${c.sql}, ${a("int4")})::text`);
    case 19: {
      const chosen = pick(random, ["max(z.g)", "count(*)", "min(z.k)"]);
      const by = pick(random, ["g", "k"]);
      return of("int8", `(SELECT ${chosen}::int8 FROM ${other()} z WHERE z.${by} = ${a("int4")})`);
    }
    case 20: {
      const compared = `z.g ${pick(random, ["<", "=", "<>"])} ${a("int4")}`;
      return of("bool", `(EXISTS (SELECT 1 FROM ${other()} z WHERE z.x = ${a("text")} AND ${compared}))`);
    }
    case 21: {
      const where = random.oneIn(2) ? ` WHERE z.x = ${a("text")}` : "";
      return of("bool", `(${a("int4")} ${pick(random, quantifiers)} (SELECT z.g FROM ${other()} z${where}))`);
    }
    case 22: {
      const two = `(${a("int4")}, ${a("text")})`;
      return of("bool", `(${two} ${pick(random, ["IN", "NOT IN"])} (SELECT z.g, z.x FROM ${other()} z))`);
    }
    case 23: {
      const order = `ORDER BY z.g${direction(random)}`;
      return of("text", `ARRAY(SELECT z.g FROM ${other()} z WHERE z.x = ${a("text")} ${order})::text`);
    }
    default: {
      const two = (): string => `(${a("int4")}, ${a("text")})`;
      return of("bool", `(${two()} ${pick(random, comparisons)} ${two()})`);
    }
  }
}

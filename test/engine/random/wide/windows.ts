/** Window functions with all kinds of frames: ROWS, GROUPS, and RANGE by offsets of the order's type, with what they exclude. */
import { optional, type Part } from "../fragment.ts";
import { pick } from "../kinds.ts";
import { anyOf, ordered, plain } from "./aggregates.ts";
import { ints, isWide, type TermKind, type WideKind, wideLiteral } from "./kinds.ts";
import { type Column, condition, direction, type Scene, type Scope, sql, type Term, term } from "./terms.ts";

type Key = Column & { readonly kind: WideKind };

/** `@` stands for an offset. */
const frames: readonly (readonly [string, string])[] = [
  ["UNBOUNDED PRECEDING", "CURRENT ROW"],
  ["UNBOUNDED PRECEDING", "UNBOUNDED FOLLOWING"],
  ["UNBOUNDED PRECEDING", "@ PRECEDING"],
  ["UNBOUNDED PRECEDING", "@ FOLLOWING"],
  ["@ PRECEDING", "@ PRECEDING"],
  ["@ PRECEDING", "CURRENT ROW"],
  ["@ PRECEDING", "@ FOLLOWING"],
  ["@ PRECEDING", "UNBOUNDED FOLLOWING"],
  ["CURRENT ROW", "CURRENT ROW"],
  ["CURRENT ROW", "@ FOLLOWING"],
  ["CURRENT ROW", "UNBOUNDED FOLLOWING"],
  ["@ FOLLOWING", "@ FOLLOWING"],
  ["@ FOLLOWING", "UNBOUNDED FOLLOWING"],
];

/** By how much a RANGE may reach, by the kind that it is ordered by. */
const offsets: { readonly [K in WideKind]?: readonly string[] } = {
  int2: ["0", "1", "5"],
  int4: ["0", "1", "3"],
  int8: ["0", "2", "9223372036854775807"],
  float8: ["0", "0.5", "'Infinity'"],
  float4: ["0", "1.5", "'Infinity'"],
  numeric: ["0", "1.5", "'Infinity'"],
  date: ["'1 day'", "'1 month'", "'0'", "'100 years'"],
  timestamp: ["'1 hour'", "'1 month'", "'0'"],
  timestamptz: ["'1 hour'", "'3 months'", "'0'"],
  time: ["'1 hour'", "'13 hours'"],
  interval: ["'1 hour'", "'1 month'"],
};

export function windowTerm(scene: Scene, scope: Scope): Term {
  const { random } = scene;
  const keys = scope.filter((c): c is Key => isWide(c.kind));
  const partition = random.oneIn(2) ? `PARTITION BY ${pick(random, keys).sql} ` : "";
  const order = pick(random, keys);
  const mode = pick(random, ["RANGE", "RANGE", "GROUPS", "ROWS"] as const);
  const frame = random.oneIn(4) ? "" : frameOf(scene, mode, order.kind);
  if (mode === "ROWS" && frame !== "") {
    // Rows are counted, so only an order by all of them says which.
    const f = random.oneIn(3) ? placed(scene, pick(random, keys)) : summed(scene, scope);
    const total = keys.map((c) => c.sql).join(", ");
    const over = `${partition}ORDER BY ${order.sql}${direction(random)}, ${total}`;
    return term(f.kind, sql`${f.sql} OVER (${over}${optional(frame)})`);
  }
  const f = random.oneIn(4) ? ranked(scene, order) : summed(scene, scope);
  return term(
    f.kind,
    sql`${f.sql} OVER (${partition}ORDER BY ${order.sql}${direction(random)}${optional(frame)})`,
  );
}

function frameOf({ random }: Scene, mode: "RANGE" | "GROUPS" | "ROWS", order: WideKind): string {
  const reaches = mode === "RANGE" ? offsets[order] : ["0", "1", "2", "4"];
  const fitting = reaches === undefined ? frames.filter((f) => !f.join().includes("@")) : frames;
  const [from, to] = pick(random, fitting).map((bound) =>
    bound.replace("@", () => pick(random, reaches ?? [])),
  );
  const excluded = pick(random, ["", "", "", "CURRENT ROW", "GROUP", "TIES", "NO OTHERS"]);
  return ` ${mode} BETWEEN ${from} AND ${to}${excluded === "" ? "" : ` EXCLUDE ${excluded}`}`;
}

/** What a row has at another place of its frame. */
function placed({ random }: Scene, c: Key): Term {
  const calls = [
    `first_value(${c.sql})`,
    `last_value(${c.sql})`,
    `nth_value(${c.sql}, ${1 + random.below(3)})`,
    `lag(${c.sql}, ${random.below(3)})`,
    `lead(${c.sql}, ${random.below(4)}, ${wideLiteral(random, c.kind)})`,
  ];
  return { sql: pick(random, calls), kind: c.kind };
}

/** What rows that are equal in the order have alike. */
function ranked({ random }: Scene, order: Key): Term {
  return pick<Term>(random, [
    { sql: `first_value(${order.sql})`, kind: order.kind },
    { sql: `last_value(${order.sql})`, kind: order.kind },
    { sql: "rank()", kind: "int8" },
    { sql: "dense_rank()", kind: "int8" },
    { sql: "cume_dist()", kind: "approx" },
    { sql: "percent_rank()", kind: "approx" },
  ]);
}

function summed(scene: Scene, scope: Scope): Term {
  const { random } = scene;
  const filter: Part = random.oneIn(4) ? optional(" FILTER (WHERE ", condition(scene, scope, 0), ")") : "";
  const of = (kind: TermKind, call: string): Term => term(kind, sql`${call}${filter}`);
  const any = (kinds: readonly WideKind[]) => anyOf(scene, scope, kinds);
  switch (random.below(9)) {
    case 0:
      return of("int8", "count(*)");
    case 1:
      return of("shown", `sum(${any(ints).sql})`);
    case 2:
      return of("shown", `avg(${any(["numeric", ...ints]).sql})`);
    case 3:
    case 4: {
      const c = any(ordered);
      return of(plain(c.kind), `${pick(random, ["min", "max"])}(${c.sql})`);
    }
    case 5:
      return term("bool", sql`bool_or(${condition(scene, scope, 0)})${filter}`);
    case 6: {
      const c = any(ints);
      return of(c.kind, `${pick(random, ["bit_xor", "bit_or"])}(${c.sql})`);
    }
    case 7:
      return of("shown", `stddev_pop(${any(ints).sql})`);
    default:
      return of("approx", `sum(${any(["float8", "float4"]).sql})`);
  }
}

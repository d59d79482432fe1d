/** Wide queries: grouping sets, windows, limits with ties, set operations, recursion, LATERAL, USING. */
import { type Fragment, fragment, optional, type Part, separated } from "../fragment.ts";
import { pick } from "../kinds.ts";
import { aggregate, plain } from "./aggregates.ts";
import { expression } from "./expressions.ts";
import { failing, manyRowsInOne } from "./failing.ts";
import { type From, oneRelation, someFrom } from "./from.ts";
import { isWide, type TermKind } from "./kinds.ts";
import {
  columnOf,
  direction,
  keyable,
  maybeWhere,
  newAlias,
  type Scene,
  sql,
  type Term,
  type WideRelation,
} from "./terms.ts";
import { windowTerm } from "./windows.ts";

export interface WideQuery {
  readonly body: Fragment;
  readonly kinds: readonly TermKind[];
  readonly factors: number;
  /** It is there to fail, now and then; nothing reads it. */
  readonly fallible?: true;
}

export function makeWideQuery(scene: Scene): WideQuery {
  const make = pick(scene.random, [
    grouped,
    grouped,
    grouped,
    whole,
    windows,
    windows,
    windows,
    limited,
    simple,
    simple,
    setOperation,
    recursive,
    lateral,
    using,
    failing,
    failing,
    manyRowsInOne,
  ]);
  return make(scene);
}

export function relationOf(name: string, { kinds, factors }: WideQuery): WideRelation {
  return { name, columns: kinds.map((kind, i) => ({ name: `c${i}`, kind })), factors };
}

function select(terms: readonly Term[], behind: readonly Part[], factors: number, distinct = ""): WideQuery {
  const outputs = terms.map((t, i) => fragment("output", [t.sql, ` AS c${i}`]));
  const parts = [`SELECT ${distinct}`, ...separated(outputs, ", "), " FROM ", ...behind];
  return { body: fragment("query", parts), kinds: terms.map((t) => t.kind), factors };
}

function several<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function whole(scene: Scene): WideQuery {
  const from = someFrom(scene);
  const terms = several(1 + scene.random.below(4), () => aggregate(scene, from.scope));
  return select(terms, [from.sql, maybeWhere(scene, from.scope)], 1);
}

function grouped(scene: Scene): WideQuery {
  const { random } = scene;
  const from = someFrom(scene);
  const { scope } = from;
  const found = scope.filter(keyable);
  if (found.length === 0) return whole(scene);
  const keys = [...new Set(several(1 + random.below(3), () => pick(random, found)))];
  const names = keys.map((k) => k.sql);
  const all = names.join(", ");
  const first = names[0] as string;
  const sets = pick(random, [
    all,
    all,
    `ROLLUP (${all})`,
    `CUBE (${all})`,
    `GROUPING SETS ((${all}), (${first}), (), ())`,
    `DISTINCT ROLLUP (${all}), CUBE (${all})`,
    `${first}, ROLLUP (${all})`,
    `GROUPING SETS (ROLLUP (${all}), CUBE (${first}))`,
    `GROUPING SETS ((${all}), ())`,
    "GROUPING SETS (())",
  ]);
  const none = sets === "GROUPING SETS (())";
  const inSets = sets !== all && !none;
  const terms: Term[] = none ? [] : [...keys];
  if (inSets && random.oneIn(2)) terms.push({ sql: `GROUPING(${all})`, kind: "int4" });
  terms.push(...several(1 + random.below(3), () => aggregate(scene, scope)));
  if (random.oneIn(5)) {
    const call = pick(random, ["rank()", "dense_rank()", "sum(count(*))", "count(*)", "max(count(*))"]);
    terms.push({ sql: `${call} OVER (ORDER BY count(*)${pick(random, ["", " DESC"])})`, kind: "shown" });
  }
  const having = (): Part =>
    pick<() => Part>(random, [
      () => `count(*) > ${random.below(3)}`,
      () => fragment("bool", sql`${aggregate(scene, scope, true).sql} IS NOT NULL`),
      () => (inSets ? `GROUPING(${first}) = ${random.below(2)}` : "count(*) < 3"),
    ])();
  return select(
    terms,
    [
      from.sql,
      maybeWhere(scene, scope),
      ` GROUP BY ${sets}`,
      random.oneIn(5) ? optional(" HAVING ", having()) : "",
    ],
    from.factors,
  );
}

function windows(scene: Scene): WideQuery {
  const { random } = scene;
  const from = random.oneIn(3) ? someFrom(scene, 2) : oneRelation(scene, 3);
  const keys = from.scope.filter(keyable);
  if (keys.length === 0) return whole(scene);
  const terms: Term[] = [pick(random, keys), keys[0] as Term];
  terms.push(...several(1 + random.below(2), () => windowTerm(scene, from.scope)));
  return select(terms, [from.sql, maybeWhere(scene, from.scope)], from.factors);
}

function limited(scene: Scene): WideQuery {
  const { random } = scene;
  const from = someFrom(scene);
  const keys = from.scope.filter(keyable);
  if (keys.length === 0) return whole(scene);
  const terms = several(1 + random.below(3), () => pick(random, keys));
  const first = `${1 + random.below(terms.length)}${direction(random)}`;
  // Ordered by all columns, rows that change places are equal.
  const all = `${first}, ${terms.map((_, i) => i + 1).join(", ")}`;
  const table = pick(random, scene.tables).name;
  const tail = pick(random, [
    `${all} LIMIT ${random.below(4)}`,
    `${all} OFFSET ${random.below(4)}`,
    `${all} LIMIT ${1 + random.below(3)} OFFSET ${random.below(3)}`,
    `${all} FETCH NEXT 2 ROWS WITH TIES`,
    `${first} FETCH FIRST ${1 + random.below(3)} ROWS WITH TIES`,
    `${all} LIMIT (SELECT count(*) / 2 FROM ${table})`,
    `${all} LIMIT ALL OFFSET (SELECT min(g) FROM ${table} WHERE g >= 0)`,
  ]);
  const distinct = random.oneIn(3) ? "DISTINCT " : "";
  const behind = [from.sql, maybeWhere(scene, from.scope), ` ORDER BY ${tail}`];
  return select(terms, behind, from.factors, distinct);
}

function simple(scene: Scene): WideQuery {
  const { random } = scene;
  const from = someFrom(scene);
  const terms = several(1 + random.below(4), () => expression(scene, from.scope));
  const distinct = terms.every(keyable) && random.oneIn(3) ? "DISTINCT " : "";
  return select(terms, [from.sql, maybeWhere(scene, from.scope)], from.factors, distinct);
}

function setOperation(scene: Scene): WideQuery {
  const { random } = scene;
  const arms = [someFrom(scene, 2), someFrom(scene, 2), oneRelation(scene, 1)] as const;
  const shared = arms[0].scope.flatMap((a) =>
    isWide(a.kind) && arms[1].scope.some((b) => b.kind === a.kind) ? [a.kind] : [],
  );
  const kinds = several(1 + random.below(2), () =>
    pick(random, shared.length === 0 ? ["int4" as const] : shared),
  );
  const arm = (from: From): Fragment => {
    const columns = kinds.map((kind, i) => `${columnOf(scene, from.scope, [kind]).sql} AS c${i}`);
    return fragment(
      "arm",
      sql`(SELECT ${columns.join(", ")} FROM ${from.sql}${maybeWhere(scene, from.scope)})`,
    );
  };
  const [a, b, c] = arms.map(arm) as [Fragment, Fragment, Fragment];
  const operation = (): string =>
    pick(random, ["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]);
  const order = ` ORDER BY ${kinds.map((_, i) => i + 1).join(", ")} LIMIT ${1 + random.below(4)}`;
  const end = random.oneIn(3) ? optional(order) : "";
  const parts = pick(random, [
    sql`${a} ${operation()} ${b}${end}`,
    sql`${a} ${operation()} (${b} ${operation()} ${c})${end}`,
    sql`(${a} ${operation()} ${b}) ${operation()} ${c}${end}`,
  ]);
  return {
    body: fragment("query", parts),
    kinds: kinds.map(plain),
    factors: Math.max(arms[0].factors, arms[1].factors),
  };
}

function recursive({ random, tables }: Scene): WideQuery {
  const [t, u] = [pick(random, tables).name, pick(random, tables).name];
  const least = `SELECT DISTINCT ON (z.g) z.g, p.c1 + 1 FROM p JOIN ${u} z ON z.k = p.c0 WHERE p.c1 < 4 AND z.g IS NOT NULL ORDER BY z.g, p.c1`;
  const [anchor, again, end] = pick(random, [
    [
      `SELECT k, g FROM ${t} WHERE k < 4`,
      `UNION SELECT p.c0, z.g FROM p JOIN ${u} z ON z.k = p.c1`,
      "SELECT c0, c1 FROM p",
    ],
    [
      `SELECT k, 0 FROM ${t} WHERE g = 0`,
      `UNION ALL SELECT z.k, p.c1 + 1 FROM p, ${u} z WHERE z.g = p.c0 AND p.c1 < 3`,
      "SELECT c0, c1 FROM p",
    ],
    [
      `SELECT k, g FROM ${t}`,
      `UNION SELECT p.c0, z.g FROM p LEFT JOIN ${u} z ON z.k = p.c1 WHERE p.c1 IS NOT NULL`,
      "SELECT c0, count(*)::int4 AS c1 FROM p GROUP BY c0",
    ],
    [`SELECT k, 1 FROM ${t}`, `UNION (${least})`, "SELECT c0, min(c1) AS c1 FROM p GROUP BY c0"],
  ] as const);
  const body = fragment("query", [`WITH RECURSIVE p (c0, c1) AS (${anchor} ${again}) ${end}`]);
  return { body, kinds: ["int4", "int4"], factors: 1 };
}

function lateral(scene: Scene): WideQuery {
  const { random } = scene;
  const from = oneRelation(scene, 2);
  const t = pick(random, scene.tables).name;
  const i = columnOf(scene, from.scope, ["int4"]).sql;
  const x = columnOf(scene, from.scope, ["text"]).sql;
  const within = pick(random, [
    `SELECT z.k, z.g FROM ${t} z WHERE z.x = ${x} ORDER BY z.g${direction(random)}, z.k LIMIT ${1 + random.below(2)}`,
    `SELECT max(z.k) AS k, count(*)::int4 AS g FROM ${t} z WHERE z.g ${pick(random, ["=", "<"])} ${i}`,
    `SELECT z.k, z.g FROM ${t} z WHERE z.g = ${i} UNION ALL SELECT ${i}, 7`,
    `SELECT z.k, row_number() OVER (ORDER BY z.k, z.g, z.x)::int4 AS g FROM ${t} z WHERE z.x = ${x}`,
    `SELECT z.g AS k, sum(z.k)::int4 AS g FROM ${t} z WHERE z.x >= ${x} GROUP BY ROLLUP (z.g)`,
    `SELECT DISTINCT z.g AS k, z.g + ${i} % 10 AS g FROM ${t} z`,
  ]);
  const join = pick(random, [
    `CROSS JOIN LATERAL (${within}) w`,
    `LEFT JOIN LATERAL (${within}) w ON true`,
    `LEFT JOIN LATERAL (${within}) w ON w.g > 0`,
  ]);
  const keys = from.scope.filter(keyable);
  const terms: Term[] = [
    keys.length === 0 ? { sql: "1", kind: "int4" } : pick(random, keys),
    { sql: "w.k", kind: "int4" },
    { sql: "w.g", kind: "int4" },
  ];
  return select(terms, [from.sql, ` ${join}`], from.factors + 1);
}

function using(scene: Scene): WideQuery {
  const { random } = scene;
  const [a, b, c] = [newAlias(scene), newAlias(scene), newAlias(scene)];
  const table = (): string => pick(random, scene.tables).name;
  const join = (): string => pick(random, ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
  const key = pick(random, ["k", "g", "x"]);
  const terms: Term[] = [
    { sql: key, kind: key === "x" ? "text" : "int4" },
    { sql: `${a}.g`, kind: "int4" },
    { sql: `${b}.k`, kind: "int4" },
    { sql: `${c}.x`, kind: "text" },
  ];
  const joined = `${table()} ${a} ${join()} ${table()} ${b} USING (${key}) ${join()} ${table()} ${c} USING (${key})`;
  const where = random.oneIn(3) ? optional(` WHERE ${key} IS ${pick(random, ["NULL", "NOT NULL"])}`) : "";
  return select(terms, [joined, where], 3);
}

/** Columns of which the last digits are open. */
export function floatsOf({ kinds }: WideQuery): ReadonlySet<number> {
  return new Set(kinds.flatMap((kind, i) => (kind === "approx" ? [i] : [])));
}

/**
 * Random queries over relations, in the grammar that docs/SQL.md lists. Each has one right answer: where it hangs on the order of rows, the
 * order is made total; what rounds, nothing is computed of.
 */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { aggregate, windowCall } from "./aggregates.ts";
import {
  condition,
  direction,
  expression,
  fallible,
  keyOf,
  type Scope,
  type Subqueries,
  type Term,
} from "./expressions.ts";
import { type Fragment, fragment, optional, type Part, separated } from "./fragment.ts";
import { type ColumnKind, type Kind, keyed, literal, pick, simplest, someKind, typeName } from "./kinds.ts";
import type { Relation } from "./tables.ts";

export interface Query {
  readonly body: Fragment;
  readonly kinds: readonly ColumnKind[];
  readonly factors: number;
  /** It may fail. No view reads it: PostgreSQL does not compute what it need not. */
  readonly fallible?: true;
}

interface From {
  readonly item: Fragment;
  readonly scope: Scope;
  readonly factors: number;
}

/** More would be millions of rows, and PostgreSQL gone for minutes: views join views that join views. */
const FACTORS_MAX = 3;

/** A random query as a view's; it may hold several, one in the other. */
export function makeQuery(random: SeededRandom, relations: readonly Relation[]): Query {
  return new Maker(random, relations).top();
}

export function relationOf(name: string, query: Query): Relation {
  return { name, columns: query.kinds.map((kind, i) => ({ name: `c${i}`, kind })), factors: query.factors };
}

function queryFragment(kinds: readonly ColumnKind[], parts: readonly Part[]): Fragment {
  return fragment(`query ${kinds.join()}`, parts);
}

class Maker implements Subqueries {
  readonly #random: SeededRandom;
  readonly #relations: readonly Relation[];
  #aliases = 0;
  /** How many subqueries may still be made. */
  #subqueriesLeft = 3;

  constructor(random: SeededRandom, relations: readonly Relation[]) {
    this.#random = random;
    this.#relations = relations;
  }

  top(): Query {
    const random = this.#random;
    switch (random.below(10)) {
      case 0:
        return this.#with();
      case 1:
        return this.#recursive();
      case 2:
        return this.#fallible();
      default:
        return this.#query(2);
    }
  }

  #query(depth: number): Query {
    const random = this.#random;
    switch (random.below(depth > 0 ? 15 : 12)) {
      case 0:
      case 1:
      case 2:
        return this.#plain(depth);
      case 3:
      case 4:
        return this.#grouped(depth);
      case 5:
        return this.#whole(depth);
      case 6:
        return this.#keyedSelect(depth, "SELECT DISTINCT ");
      case 7:
      case 8:
        return this.#windows(depth);
      case 9:
        return this.#limited(depth);
      case 10:
        return this.#distinctOn(depth);
      case 11:
        return this.#ranked(depth);
      case 12:
      case 13:
        return this.#setOperation(depth);
      default:
        return this.#plain(depth);
    }
  }

  #alias(): string {
    return `x${this.#aliases++}`;
  }

  // ---- FROM -------------------------------------------------------------------------------------------------------

  #from(depth: number, outer: Scope | null = null, factorsMax = FACTORS_MAX): From {
    const random = this.#random;
    let from = this.#item(depth, outer, factorsMax);
    for (let joins = pick(random, [0, 0, 0, 1, 1, 2]); joins > 0; joins--) {
      const room = factorsMax - from.factors;
      if (room < 1) break;
      from = this.#join(from, depth, outer, room);
    }
    return from;
  }

  #join(left: From, depth: number, outer: Scope | null, room: number): From {
    const random = this.#random;
    const type = pick(random, [
      "JOIN",
      "JOIN",
      "LEFT JOIN",
      "LEFT JOIN",
      "RIGHT JOIN",
      "FULL JOIN",
      "CROSS JOIN",
      "LATERAL",
    ]);
    if (type === "LATERAL" || random.oneIn(8)) return this.#lateral(left, depth, room);
    const right = this.#item(depth, outer, room);
    const scope = both(left.scope, right.scope);
    const factors = left.factors + right.factors;
    const shared = random.oneIn(5) ? sharedName(left.scope, right.scope) : null;
    if (shared !== null && type !== "CROSS JOIN") {
      const merged: Scope = { ...scope, terms: [...scope.terms, shared] };
      const item = fragment("from", [left.item, ` ${type} `, right.item, ` USING (${shared.sql})`]);
      return { item, scope: merged, factors };
    }
    if (type === "CROSS JOIN") {
      return { item: fragment("from", [left.item, " CROSS JOIN ", right.item]), scope, factors };
    }
    const on: Part[] = [" ON ", this.#equality(left.scope, right.scope)];
    // A full join takes only equalities in PostgreSQL.
    if (type !== "FULL JOIN") {
      if (random.oneIn(5)) on.splice(1, 1, condition(random, scope, 1));
      else if (random.oneIn(3)) on.push(optional(" AND ", condition(random, scope, 1)));
    } else if (random.oneIn(3)) on.push(" AND ", this.#equality(left.scope, right.scope));
    return { item: fragment("from", [left.item, ` ${type} `, right.item, ...on]), scope, factors };
  }

  /** An equality of two columns if there is one to make. */
  #equality(left: Scope, right: Scope): Fragment {
    const random = this.#random;
    const pairs = left.terms.flatMap((l) =>
      right.terms.filter((r) => l.kind !== "approx" && alike(l.kind, r.kind)).map((r) => [l, r] as const),
    );
    if (pairs.length === 0) {
      const kind = "int4";
      return fragment("bool", [
        expression(random, kind, { ...left, subqueries: null }, 0),
        " = ",
        expression(random, kind, { ...right, subqueries: null }, 0),
      ]);
    }
    const [l, r] = pick(random, pairs);
    return fragment("equality", [`${l.sql} = ${r.sql}`]);
  }

  #lateral(left: From, depth: number, room: number): From {
    const random = this.#random;
    const alias = this.#alias();
    const word = pick(random, [", ", " CROSS JOIN ", " LEFT JOIN "]);
    const on = word === " LEFT JOIN " ? " ON true" : "";
    if (room < 1 || depth <= 0 || random.oneIn(2)) return this.#tableFunction(left, alias, word, on);
    const query = this.#correlated(left.scope, room, depth);
    const scope = both(left.scope, scopeOf(alias, relationOf(alias, query), this));
    const item = fragment("from", [left.item, word, "LATERAL (", query.body, `) ${alias}`, on]);
    return { item, scope, factors: left.factors + query.factors };
  }

  #tableFunction(left: From, alias: string, word: string, on: string): From {
    const random = this.#random;
    const { subqueries: _none, ...terms } = left.scope;
    const scope = { ...terms, subqueries: null };
    const [name, arg, rest, kind] = pick(random, [
      ["generate_series", "int4", " % 4, 3", "int4"],
      ["unnest", "ints", "", "int4"],
      ["unnest", "texts", "", "text"],
      ["string_to_table", "text", ", 'a'", "text"],
      ["generate_subscripts", "ints", ", 1", "int4"],
      ["regexp_split_to_table", "text", ", 'b'", "text"],
    ] as const);
    const call = [name, "(", expression(random, arg, scope, 1), rest, ")"];
    const ordinal = random.oneIn(3);
    const columns: Term[] = [{ sql: `${alias}.c0`, kind }];
    if (ordinal) columns.push({ sql: `${alias}.c1`, kind: "int8" });
    const names = ordinal ? " WITH ORDINALITY" : "";
    const list = ordinal ? "(c0, c1)" : "(c0)";
    const item = fragment("from", [left.item, word, "LATERAL ", ...call, `${names} AS ${alias}${list}`, on]);
    const made: Scope = { terms: columns, total: columns, subqueries: this };
    return { item, scope: both(left.scope, made), factors: left.factors };
  }

  #item(depth: number, outer: Scope | null, room: number): From {
    const random = this.#random;
    const alias = this.#alias();
    if (random.oneIn(14)) return this.#values(alias);
    if (depth > 0 && random.oneIn(5)) {
      const query = this.#query(depth - 1);
      if (query.factors <= room) {
        const item = fragment("from", ["(", query.body, `) ${alias}`]);
        return {
          item,
          scope: this.#around(scopeOf(alias, relationOf(alias, query), this), outer),
          factors: query.factors,
        };
      }
    }
    const small = this.#relations.filter((r) => r.factors <= room);
    if (small.length === 0) return this.#values(alias);
    const relation = pick(random, small);
    const scope = this.#around(scopeOf(alias, relation, this), outer);
    return { item: fragment("from", [`${relation.name} ${alias}`]), scope, factors: relation.factors };
  }

  #around(scope: Scope, outer: Scope | null): Scope {
    return outer === null ? scope : { ...scope, terms: [...scope.terms, ...outer.terms] };
  }

  #values(alias: string): From {
    const random = this.#random;
    const columns: Kind[] = ["int4", someKind(random)];
    const row = (): Part => `(${columns.map((kind) => literal(random, kind)).join(", ")})`;
    const rows = Array.from({ length: 1 + random.below(3) }, row);
    const relation: Relation = {
      name: alias,
      columns: columns.map((kind, i) => ({ name: `c${i}`, kind })),
      factors: 1,
    };
    const item = fragment("from", [`(VALUES ${rows.join(", ")}) ${alias}(c0, c1)`]);
    return { item, scope: scopeOf(alias, relation, this), factors: 1 };
  }

  // ---- SELECT -----------------------------------------------------------------------------------------------------

  #where(scope: Scope): Part {
    const random = this.#random;
    return random.oneIn(2) ? optional(" WHERE ", condition(random, scope, 2)) : "";
  }

  /** `expr AS c0, …`. */
  #list(made: readonly Part[]): Part[] {
    return separated(
      made.map((part, i) => fragment("output", [part, ` AS c${i}`])),
      ", ",
    );
  }

  #plain(depth: number): Query {
    const random = this.#random;
    const from = this.#from(depth);
    const outputs: Part[] = [];
    const kinds: ColumnKind[] = [];
    for (let i = 1 + random.below(4); i > 0; i--) {
      const term = random.oneIn(2) ? pick(random, from.scope.terms) : null;
      const kind = term?.kind ?? this.#kindIn(from.scope);
      kinds.push(kind);
      outputs.push(
        term !== null || kind === "approx"
          ? fragment(kind, [(term as Term).sql], [simplest(kind)])
          : expression(random, kind, from.scope, 2),
      );
    }
    const body = ["SELECT ", ...this.#list(outputs), " FROM ", from.item, this.#where(from.scope)];
    return { body: queryFragment(kinds, body), kinds, factors: from.factors };
  }

  #kindIn(scope: Scope): Kind {
    const term = pick(this.#random, scope.terms);
    return term.kind === "approx" || this.#random.oneIn(5) ? someKind(this.#random) : term.kind;
  }

  /** Columns of which equal ones look alike. */
  #keyOutputs(scope: Scope, count: number): { outputs: Part[]; kinds: Kind[] } {
    const kinds = Array.from({ length: count }, () => this.#kindIn(scope));
    return { kinds, outputs: kinds.map((kind) => keyOf(this.#random, kind, scope, 1)) };
  }

  #keyedSelect(depth: number, word: string): Query {
    const random = this.#random;
    const from = this.#from(depth);
    const { outputs, kinds } = this.#keyOutputs(from.scope, 1 + random.below(3));
    const body = [word, ...this.#list(outputs), " FROM ", from.item, this.#where(from.scope)];
    return { body: queryFragment(kinds, body), kinds, factors: from.factors };
  }

  #fallible(): Query {
    const random = this.#random;
    // A table's columns: what a view makes of constants PostgreSQL computes before there is a row.
    const table = pick(
      random,
      this.#relations.filter((r) => /^t\d+$/.test(r.name)),
    );
    const alias = this.#alias();
    const scope = scopeOf(alias, table, this);
    const failing = fallible(random, scope);
    if (failing === null) return this.#plain(1);
    const kinds: ColumnKind[] = ["text", "int4"];
    const plain: Scope = { ...scope, subqueries: null };
    const outputs = [failing, expression(random, "int4", plain, 1)];
    const body = ["SELECT ", ...this.#list(outputs), ` FROM ${table.name} ${alias}`, this.#where(plain)];
    return { body: queryFragment(kinds, body), kinds, factors: 1, fallible: true };
  }

  #grouped(depth: number): Query {
    const random = this.#random;
    const from = this.#from(depth);
    const count = 1 + random.below(2);
    const keys = this.#keyOutputs({ ...from.scope, subqueries: null }, count);
    const aggregates = Array.from({ length: 1 + random.below(3) }, () => aggregate(random, from.scope));
    const kinds: ColumnKind[] = [...keys.kinds, ...aggregates.map((a) => a.kind)];
    const ordinals = Array.from({ length: count }, (_, i) => String(i + 1));
    const sets = pick(random, [
      "plain",
      "plain",
      "plain",
      `ROLLUP (${ordinals.join(", ")})`,
      `CUBE (${ordinals.join(", ")})`,
      `GROUPING SETS ((${ordinals.join(", ")}), (1), ())`,
    ]);
    const by = sets === "plain" ? ordinals.join(", ") : sets;
    const tested = aggregate(random, { ...from.scope, subqueries: null });
    const having: Part =
      random.oneIn(4) && tested.kind !== "approx" && tested.kind !== "jsonb"
        ? optional(" HAVING ", tested.made, " > ", literal(random, tested.kind))
        : "";
    const body = [
      "SELECT ",
      ...this.#list([...keys.outputs, ...aggregates.map((a) => a.made)]),
      " FROM ",
      from.item,
      this.#where(from.scope),
      ` GROUP BY ${by}`,
      having,
    ];
    return { body: queryFragment(kinds, body), kinds, factors: from.factors };
  }

  #whole(depth: number): Query {
    const random = this.#random;
    const from = this.#from(depth);
    const aggregates = Array.from({ length: 1 + random.below(3) }, () => aggregate(random, from.scope));
    const kinds = aggregates.map((a) => a.kind);
    const body = [
      "SELECT ",
      ...this.#list(aggregates.map((a) => a.made)),
      " FROM ",
      from.item,
      this.#where(from.scope),
    ];
    return { body: queryFragment(kinds, body), kinds, factors: 1 };
  }

  #windows(depth: number): Query {
    const random = this.#random;
    const from = this.#from(depth);
    const scope: Scope = { ...from.scope, subqueries: null };
    const { outputs, kinds } = this.#keyOutputs(scope, 1 + random.below(2));
    const calls = Array.from({ length: 1 + random.below(2) }, (_, i) => windowCall(random, scope, i === 0));
    const all: ColumnKind[] = [...kinds, ...calls.map((c) => c.kind)];
    const body = [
      "SELECT ",
      ...this.#list([...outputs, ...calls.map((c) => c.made)]),
      " FROM ",
      from.item,
      this.#where(from.scope),
    ];
    return { body: queryFragment(all, body), kinds: all, factors: from.factors };
  }

  #limited(depth: number): Query {
    const random = this.#random;
    const inner = random.oneIn(3) ? this.#grouped(depth - 1) : this.#keyedSelect(depth, "SELECT ");
    const kept = inner.kinds.flatMap((kind, i) => (kind === "approx" ? [] : [{ kind, name: `c${i}` }]));
    const order = kept.map((c) => `${keyed(c.kind, c.name)}${direction(random)}`);
    const rotated = random.below(order.length);
    const by = [...order.slice(rotated), ...order.slice(0, rotated)];
    const ties = random.oneIn(4);
    const count = 1 + random.below(4);
    const limit = ties
      ? `ORDER BY ${by[0]} FETCH FIRST ${count} ROWS WITH TIES`
      : `ORDER BY ${by.join(", ")} ${pick(random, [`LIMIT ${count}`, `LIMIT ${count} OFFSET ${random.below(3)}`, `OFFSET ${count}`])}`;
    const alias = this.#alias();
    const list = inner.kinds.map((_, i) => `${alias}.c${i}`).join(", ");
    const body = [`SELECT ${list} FROM (`, inner.body, `) ${alias} ${limit}`];
    return { body: queryFragment(inner.kinds, body), kinds: inner.kinds, factors: 1 };
  }

  #distinctOn(depth: number): Query {
    const random = this.#random;
    const inner = this.#keyedSelect(depth, "SELECT ");
    const names = inner.kinds.map((_, i) => `c${i}`);
    const order = names.map((name) => `${name}${direction(random)}`);
    const on = 1 + random.below(Math.min(2, names.length));
    const alias = this.#alias();
    const body = [
      `SELECT DISTINCT ON (${names.slice(0, on).join(", ")}) ${names.join(", ")} FROM (`,
      inner.body,
      `) ${alias} ORDER BY ${order.join(", ")}`,
    ];
    return { body: queryFragment(inner.kinds, body), kinds: inner.kinds, factors: inner.factors };
  }

  /** The first rows of each partition: what becomes a top-k. */
  #ranked(depth: number): Query {
    const random = this.#random;
    const inner = this.#keyedSelect(depth, "SELECT ");
    const names = inner.kinds.map((_, i) => `c${i}`);
    const order = names.map((name) => `${name}${direction(random)}`);
    const [a, b] = [this.#alias(), this.#alias()];
    const fn = pick(random, ["row_number", "rank", "dense_rank"]);
    const by = fn === "row_number" ? order.join(", ") : (order.at(-1) as string);
    const shown = random.oneIn(2) ? ", r AS cr" : "";
    const body = [
      `SELECT ${names.join(", ")} FROM (SELECT *${shown} FROM (SELECT ${names.join(", ")}, ${fn}() OVER (PARTITION BY c0 ORDER BY ${by}) AS r FROM (`,
      inner.body,
      `) ${a}) ${b}0 WHERE r ${pick(random, ["<=", "<", "="])} ${1 + random.below(3)}) ${b}`,
    ];
    return { body: queryFragment(inner.kinds, body), kinds: inner.kinds, factors: inner.factors };
  }

  #setOperation(depth: number): Query {
    const random = this.#random;
    const kinds = Array.from({ length: 1 + random.below(2) }, () => someKind(random));
    const word = pick(random, ["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]);
    const [a, b] = [this.#arm(kinds, depth - 1), this.#arm(kinds, depth - 1)];
    let parts: Part[] = [a.body, ` ${word} `, b.body];
    let factors = Math.max(a.factors, b.factors);
    if (random.oneIn(3)) {
      const c = this.#arm(kinds, depth - 1);
      parts = ["(", ...parts, `) ${pick(random, ["UNION ALL", "EXCEPT", "INTERSECT"])} `, c.body];
      factors = Math.max(factors, c.factors);
    }
    return { body: queryFragment(kinds, parts), kinds, factors };
  }

  /** A select of columns of these kinds. */
  #arm(kinds: readonly Kind[], depth: number, outer: Scope | null = null, factorsMax = 2): Query {
    const from = this.#from(depth, outer, factorsMax);
    const outputs = kinds.map((kind) => this.#cast(kind, keyOf(this.#random, kind, from.scope, 1)));
    const body = ["SELECT ", ...this.#list(outputs), " FROM ", from.item, this.#where(from.scope)];
    return { body: queryFragment(kinds, body), kinds, factors: from.factors };
  }

  #cast(kind: Kind, made: Fragment): Fragment {
    return fragment(`cast ${kind}`, ["(", made, `)::${typeName(kind)}`], [simplest(kind)]);
  }

  // ---- WITH -------------------------------------------------------------------------------------------------------

  #with(): Query {
    const random = this.#random;
    const first = this.#query(1);
    const name = this.#alias();
    const after = new Maker(random, [...this.#relations, relationOf(name, first), relationOf(name, first)]);
    after.#aliases = this.#aliases + 20;
    const second = after.#query(1);
    const hint = pick(random, ["", "", " MATERIALIZED"]);
    const body = [`WITH ${name} AS${hint} (`, first.body, ") ", second.body];
    return { body: queryFragment(second.kinds, body), kinds: second.kinds, factors: second.factors };
  }

  /** Over few values, so that it ends. */
  #recursive(): Query {
    const random = this.#random;
    const all = random.oneIn(3);
    const [r, x] = [this.#alias(), this.#alias()];
    const base = this.#arm(["int4"], 0, null, 1);
    const relation = pick(random, this.#relations);
    const inner = scopeOf(x, relation, this);
    const columns: Term[] = [{ sql: `${r}.n`, kind: "int4" }];
    const scope: Scope = { terms: [...columns, ...inner.terms], total: [], subqueries: null };
    const next = expression(random, "int4", scope, 1);
    const join = fragment("bool", [
      expression(random, "int4", { ...inner, subqueries: null }, 0),
      ` = ${r}.n`,
    ]);
    const more = random.oneIn(2) ? optional(" AND ", condition(random, scope, 1)) : "";
    const guard = all ? ` AND ${r}.d < 3` : "";
    const step = [
      `SELECT (`,
      next,
      `) % 7, ${r}.d + ${all ? 1 : 0} FROM ${r} JOIN ${relation.name} ${x} ON `,
      join,
      more,
      guard === "" ? "" : ` WHERE true${guard}`,
    ];
    const body = [
      `WITH RECURSIVE ${r}(n, d) AS (SELECT (c0) % 7, 0 FROM (`,
      base.body,
      `) ${x}0 ${all ? "UNION ALL" : "UNION"} `,
      ...step,
      `) SELECT n AS c0, ${pick(random, ["d", "count(*)::int4"])} AS c1 FROM ${r} GROUP BY n, d`,
    ];
    const kinds: ColumnKind[] = ["int4", "int4"];
    return { body: queryFragment(kinds, body), kinds, factors: 1 };
  }

  // ---- subqueries -------------------------------------------------------------------------------------------------

  /** A query that may look at what is outside. */
  #correlated(outer: Scope, room: number, depth: number): Query {
    const random = this.#random;
    const from = this.#from(0, { ...outer, subqueries: null }, Math.min(room, 1));
    const scope: Scope = depth > 1 ? from.scope : { ...from.scope, subqueries: null };
    if (random.oneIn(2)) {
      const made = aggregate(random, { ...scope, subqueries: null });
      const body = [
        "SELECT ",
        ...this.#list([made.made]),
        " FROM ",
        from.item,
        this.#correlation(from, outer),
      ];
      return { body: queryFragment([made.kind], body), kinds: [made.kind], factors: 0 };
    }
    const { outputs, kinds } = this.#keyOutputs(scope, 1 + random.below(2));
    const limit = random.oneIn(3)
      ? ` ORDER BY ${kinds.map((_, i) => `${i + 1}${direction(random)}`).join(", ")} LIMIT ${1 + random.below(2)}`
      : "";
    const word = limit === "" && random.oneIn(3) ? "SELECT DISTINCT " : "SELECT ";
    const body = [word, ...this.#list(outputs), " FROM ", from.item, this.#correlation(from, outer), limit];
    return { body: queryFragment(kinds, body), kinds, factors: from.factors };
  }

  #correlation(from: From, outer: Scope): Part {
    const random = this.#random;
    if (random.oneIn(5)) return this.#where({ ...from.scope, subqueries: null });
    const inner: Scope = { ...from.scope, terms: from.scope.total };
    const more = random.oneIn(3)
      ? optional(" AND ", condition(random, { ...from.scope, subqueries: null }, 1))
      : "";
    return optional(" WHERE ", this.#equality(inner, outer), more);
  }

  #take(): boolean {
    return this.#subqueriesLeft-- > 0;
  }

  truth(scope: Scope): Fragment {
    const random = this.#random;
    const make = (...parts: Part[]): Fragment => fragment("bool", parts, ["true", "false"]);
    if (!this.#take()) return condition(random, { ...scope, subqueries: null }, 0);
    if (random.oneIn(2)) {
      return make(`(${pick(random, ["EXISTS", "NOT EXISTS"])} (`, this.#correlated(scope, 1, 1).body, "))");
    }
    const kind = this.#kindIn(scope);
    const value = keyOf(random, kind, { ...scope, subqueries: null }, 1);
    const word = pick(random, ["IN", "NOT IN", "= ANY", "< ANY", ">= ALL", "<> ALL"]);
    return make("(", value, ` ${word} `, this.list(kind, scope), ")");
  }

  list(kind: Kind, scope: Scope): Fragment {
    const random = this.#random;
    const from = this.#from(0, { ...scope, subqueries: null }, 1);
    const output = keyOf(random, kind, { ...from.scope, subqueries: null }, 1);
    return fragment("list", ["(SELECT ", output, " FROM ", from.item, this.#correlation(from, scope), ")"]);
  }

  scalar(kind: Kind, scope: Scope): Fragment {
    const random = this.#random;
    if (!this.#take()) return expression(random, kind, { ...scope, subqueries: null }, 0);
    const from = this.#from(0, { ...scope, subqueries: null }, 1);
    const value = keyOf(random, kind, { ...from.scope, subqueries: null }, 1);
    const ordered =
      kind !== "bool" && kind !== "jsonb" && kind !== "uuid" && kind !== "bytea" && kind !== "varchar";
    const tail = [" FROM ", from.item, this.#correlation(from, scope)];
    if (ordered && random.oneIn(2))
      return fragment(
        kind,
        [`(SELECT ${pick(random, ["min", "max"])}(`, value, ")", ...tail, ")"],
        [simplest(kind)],
      );
    return fragment(
      kind,
      ["(SELECT ", value, ...tail, ` ORDER BY 1${direction(random)} LIMIT 1)`],
      [simplest(kind)],
    );
  }
}

function both(left: Scope, right: Scope): Scope {
  const terms = [...left.terms, ...right.terms.filter((t) => !left.terms.some((l) => l.sql === t.sql))];
  return { terms, total: [...left.total, ...right.total], subqueries: left.subqueries };
}

function scopeOf(alias: string, relation: Relation, subqueries: Subqueries): Scope {
  const terms = relation.columns.map((c) => ({ sql: `${alias}.${c.name}`, kind: c.kind }));
  return { terms, total: terms, subqueries };
}

/** A name that each side has once, of one kind: USING makes one column of both. */
function sharedName(left: Scope, right: Scope): Term | null {
  const nameOf = (t: Term): string => t.sql.slice(t.sql.indexOf(".") + 1);
  const named = (scope: Scope, name: string): Term[] => scope.total.filter((t) => nameOf(t) === name);
  for (const term of left.total) {
    const name = nameOf(term);
    const [other, more] = named(right, name);
    if (other === undefined || more !== undefined || named(left, name).length > 1) continue;
    if (other.kind === term.kind && term.kind !== "approx") return { sql: name, kind: term.kind };
  }
  return null;
}

const numbers: readonly ColumnKind[] = ["int2", "int4", "int8", "float8", "price", "numeric"];

function alike(a: ColumnKind, b: ColumnKind): boolean {
  return a === b || (numbers.includes(a) && numbers.includes(b));
}

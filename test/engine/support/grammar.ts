/**
 * Random tables, random views over them and over each other, in the SQL that Evert and PostgreSQL share.
 *
 * Every view has one right answer: divisors are never zero, values never overflow, and where an answer hangs on the order of equal
 * rows, Evert's rule (docs/decisions/0006-ties.md) is said to PostgreSQL: the comment in `ORDER BY a /*then , b, c* /` is part of its text.
 * Values that are equal but print differently (1.0 and 1.00, 0 and -0) are kept out of keys; a column that may hold them is not `canonical`.
 */
import type { Tape } from "./tape.ts";

export type Kind = "int4" | "int8" | "float8" | "price" | "numeric" | "bool" | "text" | "time";

export interface Column {
  readonly name: string;
  readonly kind: Kind;
  readonly canonical: boolean;
}

export interface Order {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface Relation {
  readonly name: string;
  readonly columns: readonly Column[];
  /** How many tables multiply in it, at most: a table is 1, a join the sum of its sides. */
  readonly factors: number;
}

/** More would be millions of rows, and PostgreSQL gone for minutes: views join views that join views. */
const FACTORS_MAX = 3;

export interface Base extends Relation {
  readonly kind: "table" | "stream";
  readonly key: readonly string[] | null;
  readonly nullable: ReadonlySet<string>;
}

export interface ViewText extends Relation {
  /** With comments that PostgreSQL is to read. */
  readonly sql: string;
  readonly order: readonly Order[];
}

const typeNames: Readonly<Record<Kind, string>> = {
  int4: "int4",
  int8: "int8",
  float8: "float8",
  price: "numeric(8,2)",
  numeric: "numeric",
  bool: "bool",
  text: "text",
  time: "timestamptz",
};

const kinds: readonly Kind[] = ["int4", "text", "int8", "float8", "price", "numeric", "bool", "time"];

/** The text PostgreSQL is given for a text made here. */
export function forPostgres(sql: string): string {
  return sql.replace(/\/\*then (.*?)\*\//g, "$1");
}

// ---- tables -----------------------------------------------------------------------------------------------------

export function makeBase(tape: Tape, name: string): Base {
  const shape = tape.pick(["keyed", "keyless", "stream", "two keys"] as const);
  const columns: Column[] = [column("k", "int4")];
  if (shape === "two keys") columns.push(column("l", tape.pick(["text", "int8", "price", "time"] as const)));
  const others = 2 + tape.below(3);
  for (let i = 0; i < others; i++) columns.push(column("abcd"[i] as string, tape.pick(kinds)));
  const key = shape === "keyed" ? ["k"] : shape === "two keys" ? ["k", "l"] : null;
  const nullable = new Set(
    columns.map((c) => c.name).filter((n) => !(key ?? []).includes(n) && !tape.oneIn(4)),
  );
  return { name, columns, kind: shape === "stream" ? "stream" : "table", key, nullable, factors: 1 };
}

function column(name: string, kind: Kind): Column {
  return { name, kind, canonical: true };
}

export function createTable(base: Base, options: "evert" | "postgres"): string {
  const parts = base.columns.map(
    (c) => `${c.name} ${typeNames[c.kind]}${base.nullable.has(c.name) ? "" : " NOT NULL"}`,
  );
  if (base.key !== null) parts.push(`PRIMARY KEY (${base.key.join(", ")})`);
  const stream = base.kind === "stream" && options === "evert" ? " WITH (append_only)" : "";
  return `CREATE TABLE ${base.name} (${parts.join(", ")})${stream}`;
}

// ---- values -----------------------------------------------------------------------------------------------------

/** A value as a literal of SQL and in the form a program gives it. */
export interface Value {
  readonly sql: string;
  readonly js: unknown;
}

const NULL: Value = { sql: "NULL", js: null };

const integers = [0, 1, 2, 3, -1, -2, 1000];
const wide = ["0", "1", "2", "-3", "9007199254740993", "-9007199254740995", "9007199254740991"];
const doubles = ["0", "0.5", "1", "-2.25", "100", "NaN", "1048576.125"];
const prices = ["0.00", "1.00", "2.50", "-3.75", "99.99"];
const numerics = ["0", "1", "1.5", "-2.25", "0.125", "12345678901234567890.5"];
const texts = ["a", "b", "", "B", "ab", "ä", "😀", "o'x", "a%_"];
const times = [
  "2024-01-01 00:00:00+00",
  "2024-01-01 00:30:00+00",
  "2024-02-29 12:00:00.123456+00",
  "1999-12-31 23:59:59.999999+00",
  "infinity",
];

export function makeValue(tape: Tape, kind: Kind, nullable: boolean): Value {
  if (nullable && tape.below(5) === 4) return NULL;
  switch (kind) {
    case "int4": {
      const n = tape.pick(integers);
      return { sql: `${n}`, js: n };
    }
    case "int8": {
      const n = tape.pick(wide);
      return { sql: n, js: BigInt(n) };
    }
    case "float8": {
      const n = tape.pick(doubles);
      return { sql: `'${n}'::float8`, js: Number(n) };
    }
    case "price": {
      const n = tape.pick(prices);
      return { sql: n, js: n };
    }
    case "numeric": {
      const n = tape.pick(numerics);
      return { sql: n, js: n };
    }
    case "bool": {
      const b = tape.below(2) === 1;
      return { sql: String(b), js: b };
    }
    case "text": {
      const s = tape.pick(texts);
      return { sql: quote(s), js: s };
    }
    case "time": {
      const t = tape.pick(times);
      return {
        sql: `'${t}'::timestamptz`,
        js: t === "infinity" ? t : t.replace(" ", "T").replace("+00", "Z"),
      };
    }
  }
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

// ---- expressions ------------------------------------------------------------------------------------------------

interface Term {
  readonly sql: string;
  readonly kind: Kind;
  readonly canonical: boolean;
}

const numeric: readonly Kind[] = ["int4", "int8", "float8", "price", "numeric"];

class Scope {
  readonly terms: readonly Term[];

  constructor(terms: readonly Term[]) {
    this.terms = terms;
  }

  of(kind: Kind): readonly Term[] {
    return this.terms.filter((t) => t.kind === kind);
  }

  get canonical(): readonly Term[] {
    return this.terms.filter((t) => t.canonical);
  }
}

/** An expression of the kind: a column if there is one, a constant, or something made of others. */
function expression(tape: Tape, kind: Kind, scope: Scope, depth: number): Term {
  const columns = scope.of(kind);
  const choice = tape.below(depth <= 0 ? 3 : 8);
  if (choice < 2 && columns.length > 0) return tape.pick(columns);
  if (choice < 3) {
    const { sql } = makeValue(tape, kind, false);
    return { sql: `(${sql})::${typeNames[kind]}`, kind, canonical: true };
  }
  const sub = (k: Kind): Term => expression(tape, k, scope, depth - 1);
  if (choice === 3) {
    const yes = sub(kind);
    const no = sub(kind);
    const when = condition(tape, scope, depth - 1);
    return made(`CASE WHEN ${when} THEN ${yes.sql} ELSE ${no.sql} END`, kind, yes.canonical && no.canonical);
  }
  if (choice === 4) {
    const a = sub(kind);
    const b = sub(kind);
    const name = tape.pick(kind === "bool" ? ["coalesce"] : ["coalesce", "greatest", "least", "nullif"]);
    return made(`${name}(${a.sql}, ${b.sql})`, kind, a.canonical && b.canonical);
  }
  return computed(tape, kind, sub, () => condition(tape, scope, depth - 1));
}

function computed(tape: Tape, kind: Kind, sub: (kind: Kind) => Term, where: () => string): Term {
  switch (kind) {
    case "int4": {
      const a = sub("int4").sql;
      return tape.pick([
        () => made(`(${a} + ${sub("int4").sql})`, kind),
        () => made(`(${a} - ${sub("int4").sql})`, kind),
        () => made(`((${a} % 100) * (${sub("int4").sql} % 100))`, kind),
        () => made(`(${a} % 3)`, kind),
        () => made(`abs(${a})`, kind),
        () => made(`(- ${a})`, kind),
        () => made(`(${a} / nullif(${sub("int4").sql}, 0))`, kind),
        () => made(`length(${sub("text").sql})`, kind),
        () => made(`(${sub("bool").sql})::int4`, kind),
      ])();
    }
    case "int8": {
      const a = sub("int8").sql;
      return tape.pick([
        () => made(`(${a} + ${sub("int4").sql})`, kind),
        () => made(`(${a} - ${sub("int8").sql})`, kind),
        () => made(`(${sub("int4").sql})::int8`, kind),
        () => made(`((${a} % 1000) * ${sub("int4").sql})`, kind),
        () => made(`(${a} / nullif(${sub("int8").sql}, 0))`, kind),
      ])();
    }
    case "float8": {
      const a = sub("float8").sql;
      return tape.pick([
        () => made(`(${a} + ${sub("float8").sql})`, kind, false),
        () => made(`(${sub("int4").sql})::float8`, kind),
        () => made(`(${a} * ${sub("int4").sql})`, kind, false),
        () => made(`(${sub("price").sql})::float8`, kind),
        () => made(`(${a} / nullif(${sub("float8").sql}, 0))`, kind, false),
        () => made(`floor(${a})`, kind, false),
      ])();
    }
    case "price":
      return tape.pick([
        () => made(`((${sub("int4").sql}) % 1000)::numeric(8,2)`, kind),
        () => made(`round(${sub("price").sql}, 0)::numeric(8,2)`, kind),
      ])();
    case "numeric": {
      const a = sub("numeric").sql;
      return tape.pick([
        () => made(`(${a} + ${sub("price").sql})`, kind, false),
        () => made(`(${sub("int8").sql})::numeric`, kind),
        () => made(`(${a} * ${sub("numeric").sql})`, kind, false),
        () => made(`round(${a}, 1)`, kind, false),
        () => made(`(${a} / nullif(${sub("numeric").sql}, 0))`, kind, false),
        () => made(`(${a} - ${sub("int4").sql})`, kind, false),
      ])();
    }
    case "bool":
      return made(`(${where()})`, kind);
    case "text": {
      const a = sub("text").sql;
      return tape.pick([
        () => made(`(${a} || ${sub("text").sql})`, kind),
        () => made(`upper(${a})`, kind),
        () => made(`substr(${a}, 1, 1)`, kind),
        () => made(`(${sub("int4").sql})::text`, kind),
        () => made(`(${sub("int8").sql})::text`, kind),
        () => made(`(${sub("bool").sql})::text`, kind),
        () => made(`(${sub("price").sql})::text`, kind),
        () => made(`(${sub("time").sql})::text`, kind),
        () => made(`concat(${a}, ${sub("int4").sql}, '-')`, kind),
      ])();
    }
    case "time":
      return made(`date_trunc(${tape.pick(["'hour'", "'day'", "'month'"])}, ${sub("time").sql})`, kind);
  }
}

function made(sql: string, kind: Kind, canonical = true): Term {
  return { sql, kind, canonical };
}

function condition(tape: Tape, scope: Scope, depth: number): string {
  const sub = (): string => condition(tape, scope, depth - 1);
  const kind = tape.pick(scope.terms.map((t) => t.kind));
  const term = (): string => expression(tape, kind, scope, Math.min(1, depth)).sql;
  switch (tape.below(depth > 0 ? 11 : 6)) {
    case 0:
      return `${term()} = ${term()}`;
    case 1:
      return `${term()} ${tape.pick(["<", "<=", ">", ">=", "<>"])} ${term()}`;
    case 2:
      return `${term()} IS ${tape.pick(["NULL", "NOT NULL"])}`;
    case 3:
      return `${term()} IS ${tape.pick(["DISTINCT", "NOT DISTINCT"])} FROM ${term()}`;
    case 4:
      return `${term()} ${tape.pick(["IN", "NOT IN"])} (${term()}, ${term()})`;
    case 5:
      return `${term()} BETWEEN ${term()} AND ${term()}`;
    case 6:
      return `(${sub()} AND ${sub()})`;
    case 7:
      return `(${sub()} OR ${sub()})`;
    case 8:
      return `NOT (${sub()})`;
    case 9:
      return `${expression(tape, "text", scope, 1).sql} LIKE ${tape.pick(["'a%'", "'%b%'", "'_'", "'a\\%%'"])}`;
    default:
      return expression(tape, "bool", scope, depth - 1).sql;
  }
}

// ---- FROM -------------------------------------------------------------------------------------------------------

interface From {
  readonly sql: string;
  readonly scope: Scope;
  readonly factors: number;
}

function makeFrom(tape: Tape, relations: readonly Relation[], depth: number): From {
  const first = tableItem(tape, relations, "x", depth);
  let { factors } = first;
  const joins = tape.pick([0, 0, 1, 1, 2]);
  let { sql } = first;
  let terms = first.scope.terms;
  for (let i = 0; i < joins; i++) {
    const small = relations.filter((r) => r.factors <= FACTORS_MAX - factors);
    if (small.length === 0) break;
    const right = tableItem(tape, small, "yz"[i] as string, depth);
    if (right.factors > FACTORS_MAX - factors) continue;
    const on = joinCondition(tape, terms, right.scope.terms);
    if (on === null) continue;
    const type = tape.pick(["JOIN", "LEFT JOIN", "JOIN", "RIGHT JOIN", "CROSS JOIN"]);
    if (type === "CROSS JOIN") sql += ` CROSS JOIN ${right.sql}`;
    else sql += ` ${type} ${right.sql} ON ${on}${moreConditions(tape, type, terms, right.scope.terms)}`;
    terms = [...terms, ...right.scope.terms];
    factors += right.factors;
  }
  const integers = terms.filter((t) => t.kind === "int4");
  if (integers.length > 0 && tape.oneIn(8)) {
    sql += `, generate_series(1, ${tape.pick(integers).sql} % 4) g`;
    terms = [...terms, { sql: "g", kind: "int4", canonical: true }];
  }
  return { sql, scope: new Scope(terms), factors };
}

/** What else ON may say: about both sides in an inner join, about the other side alone in an outer one. */
function moreConditions(tape: Tape, type: string, left: readonly Term[], right: readonly Term[]): string {
  if (!tape.oneIn(4)) return "";
  const terms = type === "JOIN" ? [...left, ...right] : type === "LEFT JOIN" ? right : left;
  return ` AND (${condition(tape, new Scope(terms), 1)})`;
}

function tableItem(tape: Tape, relations: readonly Relation[], alias: string, depth: number): From {
  if (depth > 0 && tape.oneIn(5)) {
    const inner = makeSelect(tape, relations, depth - 1);
    return { sql: `(${inner.sql}) ${alias}`, scope: scopeOf(alias, inner.columns), factors: inner.factors };
  }
  if (tape.oneIn(12)) return valuesItem(tape, alias);
  const relation = tape.pick(relations);
  return {
    sql: `${relation.name} ${alias}`,
    scope: scopeOf(alias, relation.columns),
    factors: relation.factors,
  };
}

function valuesItem(tape: Tape, alias: string): From {
  const columns = ["k", "a"].map((name, i) => column(name, i === 0 ? "int4" : tape.pick(kinds)));
  const row = (): string =>
    `(${columns.map((c) => `(${makeValue(tape, c.kind, true).sql})::${typeNames[c.kind]}`).join(", ")})`;
  const rows = Array.from({ length: 1 + tape.below(3) }, row).join(", ");
  return { sql: `(VALUES ${rows}) ${alias}(k, a)`, scope: scopeOf(alias, columns), factors: 0 };
}

function scopeOf(alias: string, columns: readonly Column[]): Scope {
  return new Scope(columns.map((c) => ({ ...c, sql: `${alias}.${c.name}` })));
}

function joinCondition(tape: Tape, left: readonly Term[], right: readonly Term[]): string | null {
  const pairs = left.flatMap((l) =>
    right
      .filter((r) => r.kind === l.kind || (numeric.includes(r.kind) && numeric.includes(l.kind)))
      .map((r) => [l, r] as const),
  );
  // Same kinds first: they are the simple ones.
  pairs.sort(([a, b], [c, d]) => Number(a.kind !== b.kind) - Number(c.kind !== d.kind));
  if (pairs.length === 0) return null;
  const equal = (): string => {
    const [l, r] = tape.pick(pairs);
    if (l.kind === "int4" && r.kind === "int4" && tape.oneIn(6)) return `${l.sql} % 3 = ${r.sql} - 1`;
    return `${l.sql} = ${r.sql}`;
  };
  return tape.oneIn(3) ? `${equal()} AND ${equal()}` : equal();
}

// ---- SELECT -----------------------------------------------------------------------------------------------------

interface Select {
  readonly sql: string;
  readonly columns: readonly Column[];
  readonly order: readonly Order[];
  readonly factors: number;
}

/** A query whose columns are named c0, c1, ... */
function makeSelect(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const shape = tape.pick([
    plain,
    plain,
    grouped,
    grouped,
    whole,
    distinct,
    union,
    limited,
    ranked,
    distinctOn,
  ]);
  return shape(tape, relations, depth);
}

export function makeView(tape: Tape, name: string, relations: readonly Relation[]): ViewText {
  const select = makeSelect(tape, relations, 1);
  if (!tape.oneIn(8)) return { name, ...select };
  const filter = where(tape, scopeOf("w", select.columns));
  return {
    name,
    columns: select.columns,
    order: [],
    factors: select.factors,
    sql: `WITH w AS (${select.sql}) SELECT * FROM w${filter}`,
  };
}

function where(tape: Tape, scope: Scope): string {
  return tape.below(2) === 1 ? ` WHERE ${condition(tape, scope, 2)}` : "";
}

function list(terms: readonly Term[]): { sql: string; columns: Column[] } {
  return {
    sql: terms.map((t, i) => `${t.sql} AS c${i}`).join(", "),
    columns: terms.map((t, i) => ({ name: `c${i}`, kind: t.kind, canonical: t.canonical })),
  };
}

function outputs(tape: Tape, scope: Scope, canonicalOnly: boolean): Term[] {
  const terms: Term[] = [];
  const count = 1 + tape.below(4);
  for (let i = 0; i < count; i++) {
    const term = tape.oneIn(2)
      ? expression(tape, tape.pick(scope.terms).kind, scope, 2)
      : tape.pick(scope.terms);
    terms.push(!canonicalOnly || term.canonical ? term : made("'x'", "text"));
  }
  // A bare literal would be of unknown type.
  return terms.map((t) => (t.sql === "'x'" ? made("'x'::text", "text") : t));
}

function plain(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const { sql, columns } = list(outputs(tape, from.scope, false));
  const order = tape.oneIn(4) ? makeOrder(tape, columns) : [];
  const by = order.length === 0 ? "" : ` ORDER BY ${orderText(order, columns)}`;
  return {
    sql: `SELECT ${sql} FROM ${from.sql}${where(tape, from.scope)}${by}`,
    columns,
    order,
    factors: from.factors,
  };
}

/** An aggregate, or something computed of two. */
function aggregate(tape: Tape, scope: Scope): Term {
  const first = plainAggregate(tape, scope);
  if (first.kind !== "int8" || !tape.oneIn(4)) return first;
  const second = plainAggregate(tape, scope);
  return tape.pick([
    () => made(`(${first.sql} - count(*))`, "int8"),
    () => made(`(${first.sql})::numeric / nullif(count(*), 0)`, "numeric", false),
    () => made(`CASE WHEN ${second.sql} IS NULL THEN ${first.sql} ELSE count(*) END`, "int8"),
  ])();
}

function plainAggregate(tape: Tape, scope: Scope): Term {
  const filter = tape.oneIn(4) ? ` FILTER (WHERE ${condition(tape, scope, 1)})` : "";
  const name = tape.pick(["count(*)", "sum", "min", "max", "avg", "count", "other"]);
  if (name === "count(*)") return made(`count(*)${filter}`, "int8");
  if (name === "other") return otherAggregate(tape, scope, filter);
  if (name === "count") {
    const arg = expression(tape, tape.pick(scope.terms).kind, scope, 1);
    return made(`count(${arg.sql})${filter}`, "int8");
  }
  if (name === "min" || name === "max") {
    const ordered = scope.canonical.filter((t) => t.kind !== "bool");
    if (ordered.length === 0) return made(`count(*)${filter}`, "int8");
    const arg = tape.pick(ordered);
    return made(
      `${name}(${arg.sql})${filter}`,
      arg.kind === "price" ? "numeric" : arg.kind,
      arg.kind !== "price",
    );
  }
  const summed = scope.terms.filter((t) => numeric.includes(t.kind));
  if (summed.length === 0) return made(`count(*)${filter}`, "int8");
  const chosen = tape.pick(summed);
  const arg = tape.oneIn(3) ? expression(tape, chosen.kind, scope, 1) : chosen;
  const kind: Kind =
    arg.kind === "float8" ? "float8" : name === "sum" && arg.kind === "int4" ? "int8" : "numeric";
  return made(`${name}(${arg.sql})${filter}`, kind, kind === "int8");
}

/** One of those with an answer of their own for each kind of argument; ordered by what they put together, so that ties do not show. */
function otherAggregate(tape: Tape, scope: Scope, filter: string): Term {
  if (scope.canonical.length === 0) return made(`count(*)${filter}`, "int8");
  const { sql, kind } = tape.pick(scope.canonical);
  const integer = kind === "int4" || kind === "int8";
  const found = (text: string) => made(text, kind === "price" ? "numeric" : kind, kind !== "price");
  return tape.pick([
    () => made(`count(DISTINCT ${sql})${filter}`, "int8"),
    () => made(`(array_agg(${sql} ORDER BY ${sql} DESC)${filter})::text`, "text"),
    () => made(`(array_agg(DISTINCT ${sql})${filter})::text`, "text"),
    () => made(`(jsonb_agg(${sql} ORDER BY ${sql})${filter})::text`, "text"),
    () => found(`mode() WITHIN GROUP (ORDER BY ${sql})${filter}`),
    () => found(`percentile_disc(0.${1 + tape.below(9)}) WITHIN GROUP (ORDER BY ${sql} DESC)${filter}`),
    () =>
      kind === "bool"
        ? made(`bool_and(${sql})${filter}`, "bool")
        : made(`bool_or(${sql} IS NULL)${filter}`, "bool"),
    () =>
      kind === "text"
        ? made(`string_agg(DISTINCT ${sql}, '+' ORDER BY ${sql})${filter}`, "text")
        : made(`count(DISTINCT ${sql})${filter}`, "int8"),
    () =>
      integer
        ? made(`${tape.pick(["bit_and", "bit_or", "bit_xor"])}(${sql})${filter}`, kind)
        : made(`count(DISTINCT ${sql})${filter}`, "int8"),
    () =>
      integer || kind === "numeric"
        ? made(`${tape.pick(["var_pop", "stddev", "variance"])}(${sql})${filter}`, "numeric", false)
        : made(`count(DISTINCT ${sql})${filter}`, "int8"),
    () =>
      integer
        ? made(`${tape.pick(["sum", "avg"])}(DISTINCT ${sql})${filter}`, "numeric", false)
        : made(`count(${sql})${filter}`, "int8"),
  ])();
}

function grouped(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const keys: Term[] = [];
  for (let i = 1 + tape.below(2); i > 0; i--) {
    const key = tape.oneIn(3)
      ? expression(tape, tape.pick(from.scope.terms).kind, from.scope, 1)
      : tape.pick(from.scope.terms);
    // A constant in GROUP BY would be taken for a column's number or be refused.
    if (key.canonical && from.scope.terms.some((t) => key.sql.includes(t.sql))) keys.push(key);
  }
  if (keys.length === 0) return whole(tape, relations, depth);
  const aggregates: Term[] = [];
  for (let i = 1 + tape.below(3); i > 0; i--) aggregates.push(aggregate(tape, from.scope));
  const { sql, columns } = list([...keys, ...aggregates]);
  const tested = tape.oneIn(3) ? plainAggregate(tape, from.scope) : made("count(*)", "int8");
  const having =
    tape.oneIn(4) && numeric.includes(tested.kind)
      ? ` HAVING ${tested.sql} ${tape.pick([">", "<", "="])} ${1 + tape.below(3)}`
      : "";
  const by = keys.map((k) => k.sql).join(", ");
  const sets = tape.oneIn(6) ? `${tape.pick(["ROLLUP", "CUBE"])} (${by})` : by;
  const query = `SELECT ${sql} FROM ${from.sql}${where(tape, from.scope)} GROUP BY ${sets}${having}`;
  if (!tape.oneIn(5) || columns.some((c) => !c.canonical))
    return { sql: query, columns, order: [], factors: from.factors };
  const order = makeOrder(tape, columns);
  const limit = `ORDER BY ${orderText(order, columns)}${tail(columns)} LIMIT ${1 + tape.below(3)}`;
  return { sql: `${query} ${limit}`, columns, order, factors: 1 };
}

function whole(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const aggregates: Term[] = [];
  for (let i = 1 + tape.below(3); i > 0; i--) aggregates.push(aggregate(tape, from.scope));
  const { sql, columns } = list(aggregates);
  return { sql: `SELECT ${sql} FROM ${from.sql}${where(tape, from.scope)}`, columns, order: [], factors: 1 };
}

function distinct(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const { sql, columns } = list(outputs(tape, from.scope, true));
  const query = `SELECT DISTINCT ${sql} FROM ${from.sql}${where(tape, from.scope)}`;
  if (!tape.oneIn(5)) return { sql: query, columns, order: [], factors: from.factors };
  const order = makeOrder(tape, columns);
  const limit = `ORDER BY ${orderText(order, columns)}${tail(columns)} LIMIT ${1 + tape.below(3)}`;
  return { sql: `${query} ${limit}`, columns, order, factors: 1 };
}

function union(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const wanted: Kind[] = [];
  for (let i = 1 + tape.below(2); i > 0; i--) wanted.push(tape.pick(kinds));
  const word = tape.pick(["UNION ALL", "UNION"]);
  const arm = (): { sql: string; columns: Column[]; factors: number } => {
    const from = makeFrom(tape, relations, depth);
    const terms = wanted.map((kind) => {
      const term = expression(tape, kind, from.scope, 1);
      const usable = word === "UNION ALL" || term.canonical;
      const sql = usable ? term.sql : makeValue(tape, kind, false).sql;
      return made(`(${sql})::${typeNames[kind]}`, kind, usable ? term.canonical : true);
    });
    const { sql, columns } = list(terms);
    return {
      sql: `SELECT ${sql} FROM ${from.sql}${where(tape, from.scope)}`,
      columns,
      factors: from.factors,
    };
  };
  const arms = [arm(), arm()];
  if (tape.oneIn(4)) arms.push(arm());
  const columns = wanted.map((kind, i) => ({
    name: `c${i}`,
    kind,
    canonical: arms.every((a) => (a.columns[i] as Column).canonical),
  }));
  return {
    sql: arms.map((a) => a.sql).join(` ${word} `),
    columns,
    order: [],
    factors: Math.max(...arms.map((a) => a.factors)),
  };
}

function makeOrder(tape: Tape, columns: readonly Column[]): Order[] {
  const order: Order[] = [];
  for (let i = 1 + tape.below(2); i > 0; i--) {
    const column = tape.below(columns.length);
    const descending = tape.below(2) === 1;
    const nullsFirst = tape.oneIn(4) ? !descending : descending;
    if (!order.some((o) => o.column === column)) order.push({ column, descending, nullsFirst });
  }
  return order;
}

function orderText(order: readonly Order[], columns: readonly Column[]): string {
  return order
    .map((o) => {
      const nulls = o.nullsFirst === o.descending ? "" : o.nullsFirst ? " NULLS FIRST" : " NULLS LAST";
      return `${(columns[o.column] as Column).name}${o.descending ? " DESC" : ""}${nulls}`;
    })
    .join(", ");
}

/** Everything else, for PostgreSQL. */
function tail(columns: readonly Column[]): string {
  return ` /*then , ${columns.map((c) => c.name).join(", ")}*/`;
}

function limited(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const { sql, columns } = list(outputs(tape, from.scope, true));
  const order = makeOrder(tape, columns);
  const offset = tape.oneIn(4) ? ` OFFSET ${1 + tape.below(2)}` : "";
  const limit = `LIMIT ${1 + tape.below(3)}${offset}`;
  const by = `ORDER BY ${orderText(order, columns)}${tail(columns)}`;
  return {
    sql: `SELECT ${sql} FROM ${from.sql}${where(tape, from.scope)} ${by} ${limit}`,
    columns,
    order,
    factors: 1,
  };
}

/** `c0, c1, ...` of the query, written so that ORDER BY in a window can name them. */
function ranked(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const inner = list(outputs(tape, from.scope, true));
  const { columns } = inner;
  const partition = (columns[tape.below(columns.length)] as Column).name;
  const order = makeOrder(tape, columns);
  const window = `PARTITION BY ${partition} ORDER BY ${orderText(order, columns)}${tail(columns)}`;
  const base = `SELECT ${inner.sql} FROM ${from.sql}${where(tape, from.scope)}`;
  const named = columns.map((c) => c.name).join(", ");
  const numbered = `SELECT ${named}, row_number() OVER (${window}) AS rn FROM (${base}) r`;
  return {
    sql: `SELECT ${named} FROM (${numbered}) s WHERE rn <= ${1 + tape.below(3)}`,
    columns,
    order: [],
    factors: from.factors,
  };
}

function distinctOn(tape: Tape, relations: readonly Relation[], depth: number): Select {
  const from = makeFrom(tape, relations, depth);
  const inner = list(outputs(tape, from.scope, true));
  const { columns } = inner;
  const order = makeOrder(tape, columns);
  const on = (columns[(order[0] as Order).column] as Column).name;
  const named = columns.map((c) => c.name).join(", ");
  const base = `SELECT ${inner.sql} FROM ${from.sql}${where(tape, from.scope)}`;
  const by = `ORDER BY ${orderText(order, columns)}${tail(columns)}`;
  return {
    sql: `SELECT DISTINCT ON (${on}) ${named} FROM (${base}) s ${by}`,
    columns,
    order,
    factors: from.factors,
  };
}

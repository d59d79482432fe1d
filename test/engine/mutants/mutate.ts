/**
 * A mutant of a statement: one to four changes of its tree, each drawn from the kinds below. Most give what PostgreSQL's grammar takes, many what its binder takes, and enough what is run.
 */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Corpus } from "./corpus.ts";
import type { Ring } from "./ring.ts";
import { copyOf, type Node, type Part, type Place, placesOf, type Sort, textOf, treeOf } from "./tree.ts";

/** Values at the ends of their types, and beyond. */
const extremes: readonly string[] = [
  ..."NULL true false 0 1 -1 2 '' ' ' 'x' '0' '1' 'a' 0.0 -0.0 1.0 1.50 0.1 1e3 1e400 1e-400 '-0'::float8 'NaN'::float8".split(
    " ",
  ),
  ..."'Infinity'::float8 '-Infinity'::float8 'NaN'::numeric 'Infinity'::numeric '-Infinity'::numeric 1e308::float8 1e-320::float8".split(
    " ",
  ),
  ..."3.4e38::float4 32767::int2 (-32768)::int2 2147483647 (-2147483648) 2147483648 9223372036854775807 (-9223372036854775808)".split(
    " ",
  ),
  ..."9007199254740993 99999999999999999999 123456789012345678901234567890.123456789 1e130 'infinity'::date '-infinity'::date".split(
    " ",
  ),
  ..."'infinity'::timestamptz '-infinity'::timestamp 'infinity'::interval '2024-02-29'::date '5874897-12-31'::date '24:00'::time '00:00'::time".split(
    " ",
  ),
  ..."'{}'::int[] ARRAY[NULL]::int[] '{{1,2},{3,4}}'::int[] '[5:6]={1,2}'::int[] '{}'::text[] '{}'::jsonb '[]'::jsonb 'null'::jsonb '1'::jsonb".split(
    " ",
  ),
  "'4714-11-24 BC'::date",
  "'0001-01-01 BC'::timestamp",
  "'4714-11-24 00:00:00 BC'::timestamptz",
  "'294247-01-10 04:00:54'::timestamp",
  "'2024-12-31 23:59:60'::timestamp",
  "'178000000 years'::interval",
  "'-1 mon 30 days -24:00:00.000001'::interval",
  "'9223372036854 seconds'::interval",
  "'\\x'::bytea",
  "'\\x00ff'::bytea",
  "E'\\n\\t'",
  "'é\u{1F600}'",
  "'ZZZ\u{10FFFF}'",
  "repeat('x', 100)",
  "repeat('ab', 20000)",
  `'{"a": {"b": [1, null, 1.0]}, "": 0}'::jsonb`,
  `'{"a": 1, "a": 2}'::json`,
  "'00000000-0000-0000-0000-000000000000'::uuid",
  "ROW(1, NULL)",
  "ROW()",
  "'%_\\\\%'",
  "'(a|b*)+$'",
  "'[[:alpha:]'",
];

/** The columns of the tables that there are (world.ts), and names that nothing has. */
const columns =
  "k a b c d f g h i2 i8 n n2 f4 f8 x v p da ti ts tz iv id y j js ai ax m parent name at".split(" ");
const strange = [
  `"K"`,
  `"a b"`,
  `"select"`,
  `"é"`,
  "nothing",
  "t.nothing",
  "nothing.k",
  `"${"n".repeat(70)}"`,
  "ctid",
  "xmin",
  "tableoid",
  "t",
  "t.*",
  "excluded",
  "oid",
];
const relations =
  "t u n p e s w a b v nothing pg_class generate_series(1,3) (SELECT) (VALUES(1,2),(NULL,3))".split(" ");
const types =
  "int int2 int8 float4 float8 numeric numeric(5,2) numeric(30,10) numeric(3,-2) text varchar varchar(2) char char(3) bool bytea date time timestamp timestamptz interval uuid json jsonb jsonpath mood int[] text[] numeric[] timestamptz[] nothing record timetz name oid".split(
    " ",
  );

/** Around an expression. */
const wrappers: readonly ((e: string, other: string) => string)[] = [
  (e) => `(${e})`,
  (e) => `-(${e})`,
  (e) => `NOT (${e})`,
  (e) => `(${e}) IS NULL`,
  (e) => `(${e}) IS NOT TRUE`,
  (e, o) => `(${e}) IS DISTINCT FROM (${o})`,
  (e, o) => `(${e}) = (${o})`,
  (e, o) => `(${e}) < (${o})`,
  (e, o) => `(${e}) + (${o})`,
  (e, o) => `(${e}) || (${o})`,
  (e, o) => `(${e}) AND (${o})`,
  (e, o) => `coalesce(${e}, ${o})`,
  (e, o) => `nullif(${e}, ${o})`,
  (e, o) => `greatest(${e}, ${o}, NULL)`,
  (e, o) => `CASE WHEN (${e}) IS NULL THEN ${o} ELSE ${e} END`,
  (e, o) => `CASE ${e} WHEN ${o} THEN ${e} END`,
  (e, o) => `ARRAY[${e}, ${o}]`,
  (e, o) => `(ARRAY[${e}, ${o}])[1]`,
  (e, o) => `ROW(${e}, ${o})`,
  (e, o) => `(ROW(${e}, ${o})) = (ROW(${o}, ${e}))`,
  (e) => `(SELECT ${e})`,
  (e) => `ARRAY(SELECT ${e} FROM u ORDER BY 1)`,
  (e) => `(SELECT max(${e}) FROM u)`,
  (e) => `EXISTS (SELECT 1 FROM n WHERE (${e}) IS NOT NULL)`,
  (e, o) => `(${e}) IN (${o}, NULL, ${e})`,
  (e, o) => `(${e}) NOT IN (SELECT ${o} FROM n)`,
  (e, o) => `(${e}) = ANY (ARRAY[${o}])`,
  (e) => `(${e}) >= ALL (SELECT a FROM u)`,
  (e, o) => `(${e}) BETWEEN SYMMETRIC ${o} AND ${e}`,
  (e) => `count(${e})`,
  (e) => `count(DISTINCT ${e})`,
  (e) => `sum(${e})`,
  (e) => `avg(${e})`,
  (e) => `min(${e})`,
  (e) => `max(${e}) FILTER (WHERE k > 1)`,
  (e) => `array_agg(${e} ORDER BY ${e} DESC)`,
  (e) => `string_agg((${e})::text, ',' ORDER BY ${e})`,
  (e) => `jsonb_agg(${e} ORDER BY ${e})`,
  (e) => `bool_or((${e}) IS NULL)`,
  (e) => `row_number() OVER (ORDER BY ${e}, k)`,
  (e) => `rank() OVER (PARTITION BY a ORDER BY ${e})`,
  (e) => `lag(${e}) OVER (ORDER BY k)`,
  (e, o) => `sum(${e}) OVER (PARTITION BY ${o} ORDER BY k)`,
  (e) => `first_value(${e}) OVER (ORDER BY k ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)`,
  (e) => `(${e})::text`,
  (e) => `to_jsonb(${e})`,
  (e) => `(${e}) ->> 'a'`,
  (e) => `generate_series(1, ${e})`,
  (e) => `unnest(ARRAY[${e}])`,
  (e) => `length((${e})::text)`,
  (e) => `abs(${e})`,
];

/** Around a query. */
const queryWrappers: readonly ((q: string, other: string) => string)[] = [
  (q) => `SELECT * FROM (${q}) q`,
  (q) => `SELECT count(*) FROM (${q}) q`,
  (q) => `SELECT DISTINCT * FROM (${q}) q`,
  (q) => `WITH q AS (${q}) SELECT * FROM q`,
  (q) => `WITH q AS MATERIALIZED (${q}) SELECT * FROM q UNION ALL SELECT * FROM q`,
  (q) => `WITH q AS (${q}) SELECT t.k, count(q.*) FROM t LEFT JOIN q ON true GROUP BY t.k`,
  (q) => `SELECT t.k, x.* FROM t LEFT JOIN LATERAL (${q}) x ON true`,
  (q) => `SELECT k, (${q}) FROM u`,
  (q) => `SELECT k FROM t WHERE EXISTS (${q})`,
  (q) => `SELECT k FROM t WHERE a IN (${q})`,
  (q) => `SELECT q, count(*) FROM (${q}) q GROUP BY q`,
  (q) => `SELECT to_jsonb(q) FROM (${q}) q`,
  (q) => `(${q}) UNION (${q})`,
  (q) => `(${q}) EXCEPT (${q})`,
  (q, o) => `(${q}) UNION ALL (${o})`,
  (q, o) => `(${q}) INTERSECT ALL (${o})`,
  (q, o) => `(${q}) EXCEPT ALL (${o})`,
  (q, o) => `SELECT * FROM (${q}) x CROSS JOIN (${o}) y`,
  (q, o) => `SELECT * FROM (${q}) x NATURAL FULL JOIN (${o}) y`,
  (q) => `SELECT * FROM (${q}) x ORDER BY 1 LIMIT 2`,
  (q) => `SELECT * FROM (${q}) x ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES`,
];

const clauses = [
  "WHERE a > 1",
  "WHERE k < 5 OR c IS NULL",
  "WHERE false",
  "WHERE NULL",
  "GROUP BY 1",
  "GROUP BY a, c",
  "GROUP BY ROLLUP (a, c)",
  "GROUP BY GROUPING SETS ((a), (), (a, a))",
  "GROUP BY CUBE (1, 2)",
  "GROUP BY DISTINCT ROLLUP (a), ROLLUP (a)",
  "HAVING count(*) > 1",
  "HAVING false",
  "ORDER BY 1",
  "ORDER BY 2 DESC NULLS LAST, 1",
  "LIMIT 0",
  "LIMIT 2",
  "LIMIT NULL",
  "LIMIT -1",
  "LIMIT 9223372036854775807",
  "OFFSET 1",
  "OFFSET 9223372036854775807",
  "OFFSET 99999999999999999999",
  "FETCH FIRST ROW ONLY",
  "WINDOW win AS (PARTITION BY a ORDER BY k)",
];

const joins = [
  "JOIN",
  "LEFT JOIN",
  "RIGHT JOIN",
  "FULL JOIN",
  "CROSS JOIN",
  "NATURAL JOIN",
  "NATURAL FULL JOIN",
  ",",
  "LEFT JOIN LATERAL",
];

export class Mutator {
  readonly #random: SeededRandom;
  readonly #corpus: Corpus;

  constructor(random: SeededRandom, corpus: Corpus) {
    this.#random = random;
    this.#corpus = corpus;
  }

  mutant(base: Part): string {
    let tree = copyOf(base);
    for (let i = 1 + (this.#random.oneIn(2) ? 0 : this.#random.below(4)); i > 0; i--)
      tree = this.#changed(tree);
    let text = textOf(tree).trim();
    // Constants over rows; columns that came into one have a table.
    if (/^SELECT\b(?!.*\bFROM\b)/is.test(text) && this.#random.below(3) > 0) text += " FROM w";
    // Noise, for the parser and for those who tell where an error is.
    return this.#random.oneIn(60) ? this.#noise(text) : text;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)]!;
  }

  #drawn<T>(from: Ring<T>): T {
    return from.at(this.#random.u32());
  }

  #changed(tree: Part): Part {
    const random = this.#random;
    const places = placesOf(tree);
    const of = (sort: Sort): Place[] =>
      places.filter(({ parent, at }) => {
        const node = parent.nodes[at]!;
        return typeof node !== "string" && node.sort === sort;
      });
    const leaves = (pattern: RegExp): Place[] =>
      places.filter(({ parent, at }) => {
        const node = parent.nodes[at]!;
        return typeof node === "string" && pattern.test(node);
      });
    const put = ({ parent, at }: Place, node: Node): void => {
      parent.nodes[at] = node;
    };
    const text = ({ parent, at }: Place): string => textOf(parent.nodes[at]!).trim();
    const some = (found: Place[], change: (place: Place) => void): undefined => {
      if (found.length > 0) change(this.#pick(found));
    };
    const kinds: readonly (() => Part | undefined)[] = [
      // Expressions: one of elsewhere, a value, a column, another of the same statement, wrapped.
      () => some(of("expression"), (p) => put(p, copyOf(this.#drawn(this.#corpus.stock.expression)))),
      () => some(of("expression"), (p) => put(p, this.#pick(extremes))),
      () => some(of("expression"), (p) => put(p, this.#pick(columns))),
      () =>
        some(of("expression"), (p) =>
          put(p, ` ${this.#pick(wrappers)(text(p), this.#operand(of("expression")))} `),
        ),
      () =>
        some(of("expression"), (p) =>
          put(p, ` ${this.#pick(wrappers)(text(p), this.#operand(of("expression")))} `),
        ),
      () =>
        some(of("expression"), (p) =>
          put(p, ` ${this.#pick(wrappers)(text(p), this.#operand(of("expression")))} `),
        ),
      () => this.#exchange(of("expression")),
      // Elements: more of them, fewer, others.
      () => some(of("element"), (p) => put(p, copyOf(this.#drawn(this.#corpus.stock.element)))),
      () => some(of("element"), (p) => put(p, `${text(p)}, ${text(this.#pick(of("element")))}`)),
      () => some(of("element"), ({ parent, at }) => void parent.nodes.splice(Math.max(0, at - 1), 2)),
      () => this.#exchange(of("element")),
      // Sources and joins.
      () => some(of("source"), (p) => put(p, copyOf(this.#drawn(this.#corpus.stock.source)))),
      () => some(of("source"), (p) => put(p, this.#pick(relations))),
      () =>
        some(of("source"), (p) =>
          put(
            p,
            `${text(p)} ${this.#pick(joins)} ${this.#pick(relations)} AS j${random.below(3)} ${this.#pick(["", "ON true", "USING (k)", "USING (a)", "ON a = 1", "ON t.k = 1", "ON false"])}`,
          ),
        ),
      () =>
        some(leaves(/^(?:JOIN|LEFT|RIGHT|FULL|CROSS)$/i), (p) =>
          put(p, this.#pick(["JOIN", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"])),
        ),
      // Clauses.
      () => some(of("clause"), (p) => put(p, copyOf(this.#drawn(this.#corpus.stock.clause)))),
      () => some(of("clause"), ({ parent, at }) => void parent.nodes.splice(at + 1, 0, this.#pick(clauses))),
      () => some(of("clause"), ({ parent, at }) => void parent.nodes.splice(at + 1, 0, this.#pick(clauses))),
      () => some(of("clause"), ({ parent, at }) => void parent.nodes.splice(at, 1)),
      () =>
        some(leaves(/^SELECT$/i), (p) =>
          put(p, this.#pick(["SELECT DISTINCT", "SELECT DISTINCT ON (1)", "SELECT ALL"])),
        ),
      // Queries.
      () => some(of("query"), (p) => put(p, copyOf(this.#drawn(this.#corpus.stock.query)))),
      () => this.#wrapped(tree),
      () => this.#wrapped(tree),
      () =>
        some(leaves(/^(?:UNION|INTERSECT|EXCEPT)$/i), (p) =>
          put(p, this.#pick(["UNION", "INTERSECT", "EXCEPT", "UNION ALL", "INTERSECT ALL", "EXCEPT ALL"])),
        ),
      // Tokens.
      () => some(leaves(/^(?:'|\d|E'|NULL$|true$|false$)/i), (p) => put(p, this.#pick(extremes))),
      () =>
        some(leaves(/^(?:'|\d|E'|NULL$|true$|false$)/i), (p) => put(p, this.#drawn(this.#corpus.literals))),
      () => some(leaves(/^(?:'|\d)/i), (p) => put(p, this.#pick(columns))),
      () => some(leaves(/^[+\-*/<>=~!@#%^&|?]+$/), (p) => put(p, this.#drawn(this.#corpus.operators))),
      () => some(this.#called(places), (p) => put(p, this.#drawn(this.#corpus.functions))),
      () => some(leaves(/^[a-z_]\w*$/), (p) => put(p, this.#pick(random.oneIn(3) ? strange : columns))),
      () => some(leaves(/^[a-z_]\w*$/), (p) => put(p, this.#drawn(this.#corpus.names))),
      () =>
        some(of("type"), (p) =>
          put(p, random.oneIn(2) ? this.#pick(types) : this.#drawn(this.#corpus.types)),
        ),
      () => some(of("expression"), (p) => put(p, `(${text(p)})::${this.#pick(types)}`)),
      () => some(of("group"), (p) => put(p, copyOf(this.#drawn(this.#corpus.stock.group)))),
      // Much of it, and deep.
      () => (random.oneIn(6) ? some(of("expression"), (p) => put(p, this.#deep(text(p)))) : undefined),
      () =>
        random.oneIn(6)
          ? some(of("element"), (p) => put(p, Array.from({ length: this.#many() }, () => text(p)).join(", ")))
          : undefined,
    ];
    const changed = this.#pick(kinds)();
    // A part that is text by now is a tree again, so that the next change finds what is in it.
    return changed ?? treeOf(textOf(tree));
  }

  #operand(expressions: readonly Place[]): string {
    const { parent, at } = this.#pick(expressions);
    return this.#random.below(3) === 0
      ? this.#pick(extremes)
      : this.#random.oneIn(2)
        ? this.#pick(columns)
        : textOf(parent.nodes[at]!).trim();
  }

  #exchange(places: readonly Place[]): undefined {
    if (places.length < 2) return;
    const [p, q] = [this.#pick(places), this.#pick(places)];
    const [x, y] = [textOf(p.parent.nodes[p.at]!), textOf(q.parent.nodes[q.at]!)];
    p.parent.nodes[p.at] = ` ${y} `;
    if (q.at < q.parent.nodes.length) q.parent.nodes[q.at] = ` ${x} `;
  }

  #wrapped(tree: Part): Part | undefined {
    const text = textOf(tree).trim();
    if (!/^(?:SELECT|WITH|VALUES|\()/i.test(text)) return undefined;
    return treeOf(this.#pick(queryWrappers)(text, textOf(this.#drawn(this.#corpus.queries)).trim()));
  }

  #called(places: readonly Place[]): Place[] {
    return places.filter(({ parent, at }) => {
      const [node, next] = [parent.nodes[at], parent.nodes[at + 1]];
      return (
        typeof node === "string" &&
        /^[a-z_]\w*$/i.test(node) &&
        typeof next === "object" &&
        next.nodes[0] === "("
      );
    });
  }

  #many(): number {
    return this.#pick([3, 20, 300, 2000]);
  }

  #deep(expression: string): string {
    const depth = this.#pick([5, 40, 120, 600]);
    const [open, close] = this.#pick([
      ["(", ")"],
      ["-(", ")"],
      ["NOT (", ")"],
      ["(SELECT ", ")"],
      ["coalesce(NULL, ", ")"],
      ["ARRAY[", "]"],
      ["ROW(", ")"],
      ["CASE WHEN g THEN NULL ELSE ", " END"],
      ["", " + 1"],
      ["", " OR k = 1"],
      ["", "::text"],
    ] as const);
    return `${open.repeat(depth)}${expression}${close.repeat(depth)}`;
  }

  /** A piece of the text less, or twice. */
  #noise(text: string): string {
    const from = this.#random.below(text.length);
    const to = Math.min(text.length, from + 1 + this.#random.below(6));
    return this.#random.oneIn(2)
      ? text.slice(0, from) + text.slice(to)
      : text.slice(0, to) + text.slice(from);
  }
}

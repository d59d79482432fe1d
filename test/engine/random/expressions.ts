/** Random expressions over what is in scope. None of them fails, but those of `fallible`. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Fragment, fragment, type Part } from "./fragment.ts";
import { type ColumnKind, type Kind, keyed, literal, pick, simplest } from "./kinds.ts";

export interface Term {
  readonly sql: string;
  readonly kind: ColumnKind;
}

/** What an expression may name, and how to make a subquery beside it. */
export interface Scope {
  readonly terms: readonly Term[];
  /** Terms that together settle every order: all columns there are. */
  readonly total: readonly Term[];
  /** Null where no subquery may stand. */
  readonly subqueries: Subqueries | null;
}

export interface Subqueries {
  /** A truth about a subquery. */
  truth(scope: Scope): Fragment;
  /** One value; null where there is no row. */
  scalar(kind: Kind, scope: Scope): Fragment;
  /** `(SELECT …)` of one column of the kind. */
  list(kind: Kind, scope: Scope): Fragment;
}

/** `$kind` stands for an expression of that kind. */
const templates: Readonly<Record<Kind, readonly string[]>> = {
  int2: ["($int4 % 10)::int2", "(- $int2)"],
  int4: [
    "($int4 + $int4)",
    "($int4 - $int4)",
    "(($int4 % 100) * ($int4 % 100))",
    "($int4 % 3)",
    "abs($int4)",
    "($int4 / nullif($int4, 0))",
    "length($text)",
    "($bool)::int4",
    "cardinality($ints)",
    "($ints)[1]",
    "($date - date '2024-01-01')",
    "extract(hour FROM $timestamptz)::int4",
    "array_position($ints, $int4)",
    "($int4 & 3)",
    "position($text IN $text)",
    "octet_length($bytea)",
    "$int2::int4",
    "ascii($text)",
    "JSON_VALUE($jsonb, '$.a' RETURNING int4)",
  ],
  int8: [
    "($int8 + $int4)",
    "($int8 - 1)",
    "($int4)::int8",
    "(($int8 % 1000) * $int4)",
    "($int8 / nullif($int8, 0))",
  ],
  float8: [
    "($float8 + $float8)",
    "($int4)::float8",
    "($float8 * 2)",
    "($price)::float8",
    "floor($float8)",
    "abs($float8)",
  ],
  price: ["(($int4) % 1000)::numeric(10,2)", "round($price, 0)::numeric(10,2)", "(- $price)"],
  numeric: [
    "($numeric + $price)",
    "($int8)::numeric",
    "($numeric * $numeric)",
    "round($numeric, 1)",
    "($numeric - $int4)",
    "($numeric / 4)",
    "abs($numeric)",
    "extract(epoch FROM $interval)",
    "extract(year FROM $date)",
  ],
  bool: [],
  text: [
    "($text || $text)",
    "upper($text)",
    "substr($text, 1, 1)",
    "($int4)::text",
    "($int8)::text",
    "($bool)::text",
    "($price)::text",
    "($timestamptz)::text",
    "($date)::text",
    "($interval)::text",
    "($ints)::text",
    "($texts)::text",
    "($uuid)::text",
    "($jsonb)::text",
    "($jsonb ->> 'a')",
    "concat($text, $int4, '-')",
    "replace($text, 'a', $text)",
    "lpad($text, 3, '*')",
    "split_part($text, 'a', 1)",
    "regexp_replace($text, '[ab]', 'x')",
    "array_to_string($texts, '+')",
    "encode($bytea, 'hex')",
    "to_char($timestamp, 'YYYY-MM-DD')",
    "md5($text)",
    "trim($varchar)",
    "format('%s:%s', $int4, $text)",
    "JSON_VALUE($jsonb, '$.b[1]')",
    "JSON_SERIALIZE(JSON_ARRAY($int4, $text))",
  ],
  varchar: ["left($text, 4)::varchar(4)", "($varchar)::varchar(4)"],
  timestamptz: [
    "date_trunc('day', $timestamptz)",
    "($timestamptz + interval '1 day')",
    "($date)::timestamptz",
  ],
  timestamp: ["($date)::timestamp", "date_trunc('hour', $timestamp)", "($timestamptz AT TIME ZONE 'UTC')"],
  date: [
    "($timestamp)::date",
    "($date + 1)",
    "($timestamptz)::date",
    "make_date(2024, 1 + abs($int4) % 12, 1)",
  ],
  interval: ["($interval + interval '1 sec')", "make_interval(hours => $int4 % 20)"],
  jsonb: [
    "to_jsonb($int4)",
    "to_jsonb($text)",
    "($jsonb -> 'b')",
    "jsonb_build_object('a', $int4, 'z', $text)",
    "($jsonb || '[1]'::jsonb)",
    "($jsonb #> '{b,1}')",
    "JSON_OBJECT('a': $int4, 'b' VALUE $text ABSENT ON NULL RETURNING jsonb)",
    "JSON_ARRAY($int4, $text, $bool NULL ON NULL RETURNING jsonb)",
    "JSON_QUERY($jsonb, '$.b[*]' WITH WRAPPER)",
  ],
  ints: [
    "ARRAY[$int4, $int4]",
    "($ints || $int4)",
    "array_remove($ints, 1)",
    "($ints)[1:2]",
    "JSON_QUERY($jsonb, '$' RETURNING int4[])",
  ],
  texts: ["ARRAY[$text, 'q']", "string_to_array($text, 'a')", "($texts || $text)"],
  bytea: ["($bytea || '\\x01'::bytea)", "convert_to($text, 'UTF8')"],
  uuid: [],
};

const conditions: readonly string[] = [
  "($bool AND $bool)",
  "($bool OR $bool)",
  "(NOT $bool)",
  "($text LIKE 'a%')",
  "($text LIKE '%b%')",
  "($text ~ '^[ab]+$')",
  "($text ILIKE 'B_')",
  "($jsonb ? 'a')",
  "($jsonb @> '{\"a\": 1}'::jsonb)",
  "($ints @> ARRAY[1])",
  "($int4 = ANY ($ints))",
  "($text = ANY (ARRAY['a', 'b', NULL]))",
  "($int4 BETWEEN $int4 AND $int4)",
  "($bool IS NOT TRUE)",
  "(($int4, $text) = ($int4, $text))",
  "(($int4, $int4) < ($int4, $int4))",
  "($int4 < $float8)",
  "($int8 = $numeric)",
  "($int4 = $price)",
  "($int2 <> $int4)",
  "($date < $timestamptz)",
  "($text IS JSON)",
  "($text IS NOT JSON SCALAR)",
  "($jsonb IS JSON OBJECT)",
  "JSON_EXISTS($jsonb, '$.b[*] ? (@ == 2)')",
  "($int4 IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, NULL))",
];

/** Expressions that fail for some rows; each with one reason. */
const failing: readonly string[] = [
  "10 / $int4",
  "($text)::int4",
  "($int4 % 10) * 1000000000 + $int4 * 1000000000",
  "substr($text, 1, $int4)",
  "($ints)[1:2] || ($text)::int4",
  "sqrt($price)",
  "ln($price)",
  "chr(abs($int4))",
];

/** Of columns alone: what is constant PostgreSQL computes before there is a row. Null where there are none of the kinds. */
export function fallible(random: SeededRandom, scope: Scope): Fragment | null {
  const parts = pick(random, failing).split(/\$([a-z]+\d?)/);
  const filledIn = parts.map((part, i) => {
    if (i % 2 === 0) return part;
    const columns = scope.terms.filter((t) => t.kind === part);
    return columns.length === 0 ? null : pick(random, columns).sql;
  });
  return filledIn.includes(null) ? null : fragment("fallible", ["(", filledIn.join(""), ")::text"]);
}

export function expression(random: SeededRandom, kind: Kind, scope: Scope, depth: number): Fragment {
  if (kind === "bool" && (depth > 0 || random.oneIn(2))) return condition(random, scope, depth);
  const columns = scope.terms.filter((t) => t.kind === kind);
  const choice = depth <= 0 ? random.below(3) : random.below(9);
  if (choice < 2 && columns.length > 0) return leaf(kind, pick(random, columns).sql);
  if (choice < 3)
    return leaf(kind, random.oneIn(12) ? `NULL::${simplest(kind).split("::")[1]}` : literal(random, kind));
  const sub = (): Fragment => expression(random, kind, scope, depth - 1);
  const simpler = [simplest(kind)];
  if (choice === 3) {
    const when = condition(random, scope, depth - 1);
    return fragment(kind, ["CASE WHEN ", when, " THEN ", sub(), " ELSE ", sub(), " END"], simpler);
  }
  if (choice === 4) {
    const name =
      kind === "jsonb" || kind === "bool"
        ? "coalesce"
        : pick(random, ["coalesce", "greatest", "least", "nullif"]);
    const cast = kind === "varchar" ? "::varchar(4)" : "";
    return fragment(kind, [`${name}(`, sub(), ", ", sub(), `)${cast}`], simpler);
  }
  if (choice === 5 && scope.subqueries !== null) return scope.subqueries.scalar(kind, scope);
  const options = templates[kind];
  return options.length === 0 ? sub() : filled(random, kind, pick(random, options), scope, depth - 1);
}

function leaf(kind: Kind, sql: string): Fragment {
  return fragment(kind, [sql], [simplest(kind)]);
}

function filled(random: SeededRandom, sort: Kind, template: string, scope: Scope, depth: number): Fragment {
  const parts: Part[] = template.split(/\$([a-z]+\d?)/).map((part, i) => {
    return i % 2 === 0 ? part : expression(random, part as Kind, scope, depth);
  });
  return fragment(sort, parts, [simplest(sort)]);
}

const comparable: readonly Kind[] = [
  "int4",
  "text",
  "int8",
  "float8",
  "numeric",
  "price",
  "timestamptz",
  "date",
  "bool",
  "uuid",
  "interval",
  "jsonb",
  "ints",
  "bytea",
  "varchar",
];

export function condition(random: SeededRandom, scope: Scope, depth: number): Fragment {
  const simpler = ["true", "false"];
  const make = (...parts: Part[]): Fragment => fragment("bool", parts, simpler);
  const there = scope.terms.flatMap((t) => (comparable.includes(t.kind as Kind) ? [t.kind as Kind] : []));
  const kind = there.length > 0 && !random.oneIn(6) ? pick(random, there) : pick(random, comparable);
  const term = (): Fragment => expression(random, kind, scope, Math.min(1, depth - 1));
  switch (random.below(depth > 0 ? 10 : 5)) {
    case 0:
    case 1:
      return make("(", term(), ` ${pick(random, ["=", "=", "<", "<=", ">", "<>"])} `, term(), ")");
    case 2:
      return make("(", term(), ` IS ${pick(random, ["NULL", "NOT NULL"])})`);
    case 3:
      return make("(", term(), ` IS ${pick(random, ["DISTINCT", "NOT DISTINCT"])} FROM `, term(), ")");
    case 4: {
      const list = Array.from({ length: 18 }, () => literal(random, kind)).join(", ");
      const items: Part[] = random.oneIn(4) ? [list] : [term(), ", ", term()];
      return make("(", term(), ` ${pick(random, ["IN", "NOT IN"])} (`, ...items, "))");
    }
    case 5:
    case 6:
      return (
        scope.subqueries?.truth(scope) ?? filled(random, "bool", pick(random, conditions), scope, depth - 1)
      );
    default:
      return filled(random, "bool", pick(random, conditions), scope, depth - 1);
  }
}

/** In a form in which equal values look alike. */
export function keyOf(random: SeededRandom, kind: Kind, scope: Scope, depth: number): Fragment {
  const made = expression(random, kind, scope, depth);
  const [before, after] = keyed(kind, "$").split("$") as [string, string];
  return fragment(`key ${kind}`, [before, made, after], [simplest(kind)]);
}

/** `ORDER BY` of all there is, so that only rows that are alike in everything are left without an order. */
export function totalOrder(scope: Scope): string {
  return scope.total.flatMap((t) => (t.kind === "approx" ? [] : [keyed(t.kind, t.sql)])).join(", ");
}

export function direction(random: SeededRandom): string {
  return pick(random, ["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
}
